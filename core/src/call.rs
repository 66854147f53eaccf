//! The states of a call, without its bytes.

/// Where a call stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum State {
    /// No call.
    #[default]
    Idle,
    /// Outgoing; the way to the peer is being looked up.
    Resolving,
    /// Outgoing; the INVITE is sent.
    Calling,
    /// Incoming; the application has not answered.
    Ringing,
    /// Incoming; our 200 waits for its ACK.
    Answered,
    /// Up.
    Established,
    /// Over for the application; our BYE waits for its response.
    Ending,
    /// Over.
    Over,
}

impl State {
    /// Whether commands on the call make sense.
    pub const fn is_live(self) -> bool {
        !matches!(self, Self::Idle | Self::Ending | Self::Over)
    }

    /// Whether a dialog exists that a BYE could end.
    pub const fn is_confirmed(self) -> bool {
        matches!(self, Self::Answered | Self::Established)
    }
}
