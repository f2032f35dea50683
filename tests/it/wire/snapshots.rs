//! Golden bytes: requests in annotated hex, and the table of fields by version.
