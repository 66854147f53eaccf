//! Placeholder; filled by the first working version.
