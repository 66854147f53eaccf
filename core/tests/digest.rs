//! Digest responses against those that RFC 2617 and RFC 7616 print, and others computed apart.
//! Where an RFC misprints one, the vector has the right value beside it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use sansip::digest::{Algorithm, Parameters, Qop, Secret, userhash};
use serde_json::Value;

fn text<'a>(vector: &'a Value, key: &str) -> &'a [u8] {
    vector[key].as_str().unwrap_or_default().as_bytes()
}

/// `None` for an algorithm that is not compiled in.
fn algorithm(vector: &Value) -> Option<Algorithm> {
    let session = vector["sess"].as_bool() == Some(true);
    let name = vector["alg"].as_str().unwrap().to_owned() + if session { "-SESS" } else { "" };
    let algorithm = Algorithm::parse(name.to_lowercase().as_bytes());
    assert!(algorithm.is_some() || (name.starts_with("SHA-512") && !cfg!(feature = "sha512")));
    algorithm
}

fn parameters(vector: &Value, algorithm: Algorithm) -> Parameters<'_> {
    Parameters {
        algorithm,
        username: text(vector, "user"),
        realm: text(vector, "realm"),
        secret: Secret::Password(text(vector, "pw")),
        nonce: text(vector, "nonce"),
        method: text(vector, "method"),
        uri: text(vector, "uri"),
        qop: match vector["qop"].as_str() {
            None => Qop::None,
            Some("auth") => Qop::Auth,
            Some("auth-int") => Qop::AuthInt(text(vector, "body")),
            Some(other) => panic!("{other}"),
        },
        nc: vector["nc"].as_str().map_or(0, |nc| u32::from_str_radix(nc, 16).unwrap()),
        cnonce: text(vector, "cnonce"),
    }
}

#[test]
fn every_published_response_is_computed() {
    let vectors = include_str!("../../tests/vectors/digest/responses.json");
    let vectors: Vec<Value> = serde_json::from_str(vectors).unwrap();
    let mut checked = 0;
    for vector in &vectors {
        let Some(algorithm) = algorithm(vector) else { continue };
        let response = parameters(vector, algorithm).response();
        let response = String::from_utf8(response.as_bytes().to_vec()).unwrap();
        assert_eq!(vector["response"], *response, "{vector}");
        assert_ne!(vector["misprint"], *response, "{vector}");
        checked += 1;
    }
    assert_eq!(checked, if cfg!(feature = "sha512") { 34 } else { 23 });
}

#[test]
fn every_published_userhash_is_computed() {
    let vectors = include_str!("../../tests/vectors/digest/userhash.json");
    let vectors: Vec<Value> = serde_json::from_str(vectors).unwrap();
    for vector in &vectors {
        let Some(algorithm) = algorithm(vector) else { continue };
        let hash = userhash(algorithm, text(vector, "user"), text(vector, "realm"));
        assert!(hash.matches(text(vector, "userhash")), "{vector}");
        assert!(!hash.matches(text(vector, "misprint")), "{vector}");
    }
}
