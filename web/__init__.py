"""The page shell that every screen shares: base template, one stylesheet, CSP, sign-in."""
