"""A navigation bar for Django projects: links to views, and the page in other languages.

A project takes this directory in as its package ``nav``.
"""
