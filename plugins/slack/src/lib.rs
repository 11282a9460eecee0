//! tollgate-plugin-slack
