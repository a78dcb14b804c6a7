"""HTTP: routes, request bodies, errors and the page."""
