#![no_main]

#[path = "../../crates/sqlite-format/tests/format/targets.rs"]
#[allow(dead_code, reason = "what the other targets run")]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::write_ahead_log(bytes));
