"""A WHOIS (RFC 3912) server that answers from a PostgreSQL table."""
