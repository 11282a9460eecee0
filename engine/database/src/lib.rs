//! tollgate-database
