//! Inputs as lines.

use alloc::string::String;
use alloc::vec::Vec;

use crate::endpoint::{Input, QueryId};
use crate::path::{FlowId, Path};
use crate::time::Instant;

use super::fields::{Fields, Line};

pub(super) fn line(now: Instant, input: &Input<'_>) -> String {
    let line = Line::at(now, kind(input));
    match input {
        Input::Message { path, bytes } => line.path(path).quoted(bytes),
        Input::Connected { flow } | Input::Closed { flow } => line.word(flow.0),
        Input::SendFailed { path } => line.path(path),
        Input::Resolved { query, targets } => {
            targets.iter().fold(line.word(query.0), |line, target| line.path(target))
        }
        Input::LocalAddress { old, new } => line.word(old).word(new),
    }
    .end()
}

pub(super) fn kind(input: &Input<'_>) -> &'static str {
    match input {
        Input::Message { .. } => "message",
        Input::Connected { .. } => "connected",
        Input::Closed { .. } => "closed",
        Input::SendFailed { .. } => "send-failed",
        Input::Resolved { .. } => "resolved",
        Input::LocalAddress { .. } => "local-address",
    }
}

/// The input of a line; `targets` is where its list is kept.
pub(super) fn read<'i>(
    kind: &str,
    fields: &mut Fields<'i>,
    targets: &'i mut Vec<Path>,
) -> Option<Input<'i>> {
    Some(match kind {
        "message" => Input::Message { path: fields.path()?, bytes: fields.bytes()? },
        "connected" => Input::Connected { flow: FlowId(fields.value()?) },
        "closed" => Input::Closed { flow: FlowId(fields.value()?) },
        "send-failed" => Input::SendFailed { path: fields.path()? },
        "resolved" => {
            let query = QueryId(fields.value()?);
            while fields.end().is_none() {
                targets.push(fields.path()?);
            }
            Input::Resolved { query, targets }
        }
        "local-address" => Input::LocalAddress { old: fields.value()?, new: fields.value()? },
        _ => return None,
    })
}
