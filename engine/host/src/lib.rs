//! tollgate-host
