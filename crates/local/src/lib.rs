//! Private PostgreSQL cluster and local chain that the demo and the tests start.
