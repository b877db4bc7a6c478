//! Safe transactions as JSON.

use safe::hashes;
use safe::request::read;
use serde_json::Value;

use crate::vectors;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match read(text) {
        Ok(requests) => {
            let written = serde_json::to_string(&requests).expect("what is read can be written");
            assert_eq!(read(&written).as_ref(), Ok(&requests), "and reads again as the same");
            for request in &requests {
                let _ = hashes(&request.domain, &request.safe_tx);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![b"[]".to_vec(), b"{}".to_vec()];
    let small = |entry: Value| {
        let mut entry = entry;
        // What is ignored would only make the seeds long.
        entry.as_object_mut()?.retain(|key, _| ["safeVersion", "chainId", "safe", "safeTx"].contains(&key.as_str()));
        Some(Value::from(vec![entry]).to_string().into_bytes())
    };
    seeds.extend(vectors::entries().into_iter().filter_map(small));
    seeds
}
