"""A Django site with nothing in it but its address."""
