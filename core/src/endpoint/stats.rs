/// Counters of an endpoint; none is ever reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Messages that came in.
    pub received: u64,
    /// Messages handed to the driver for sending, repetitions included.
    pub sent: u64,
    /// Of the received ones, those that were no valid message.
    pub malformed: u64,
    /// Responses and ACKs that belong to nothing of ours.
    pub stray: u64,
    /// Requests that were repetitions.
    pub repeated: u64,
    /// Requests refused without a transaction.
    pub refused: u64,
    /// Work refused because a table or the buffer pool was full.
    pub refused_no_room: u64,
    /// Stateless responses dropped because one was still waiting to be sent.
    pub replies_dropped: u64,
    /// Lingering transactions that gave way to new work.
    pub evicted: u64,
    /// Challenges that were not answered because the challenger is not our server.
    pub challenges_refused: u64,
    /// Messages of ours that did not fit into a buffer.
    pub too_long: u64,
}
