//! Throwaway servers for tests.
