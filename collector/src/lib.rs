//! Ingestion: HTTP bodies are decoded, validated, spooled durably, acknowledged, and inserted exactly once.
