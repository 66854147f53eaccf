//! All memory of an endpoint, handed over once.
//!
//! [`Memory`] is the only type with const generics: a static on a microcontroller. With the
//! feature `alloc`, [`Storage::heap`] takes the same amounts at run time. Both end as
//! [`Storage`], slices behind one lifetime, and run the same code.

use core::ops::{Deref, DerefMut};

use crate::buffers::{BufferState, Room};
use crate::endpoint::slots::{AccountSlot, CallSlot, DialogSlot, TransactionSlot};
use crate::table::Entry;

#[cfg(feature = "alloc")]
use alloc::{boxed::Box, vec::Vec};

/// Memory of fixed size for one endpoint.
///
/// `TEXT` bytes hold the text of one account and of one dialog (Call-ID, tags, URIs, route set):
/// 512 is enough on a microcontroller. `MESSAGE` bytes bound a message that we send or keep: 1500.
/// A call needs two buffers while it is set up or changed, and a registration one.
///
/// All zero while idle, so that a static lands in `.bss`.
pub struct Memory<
    const ACCOUNTS: usize,
    const CALLS: usize,
    const DIALOGS: usize,
    const TRANSACTIONS: usize,
    const BUFFERS: usize,
    const TEXT: usize,
    const MESSAGE: usize,
> {
    accounts: [Entry<AccountSlot>; ACCOUNTS],
    calls: [Entry<CallSlot>; CALLS],
    dialogs: [Entry<DialogSlot>; DIALOGS],
    transactions: [Entry<TransactionSlot>; TRANSACTIONS],
    index: [[u32; INDEX_CELLS]; TRANSACTIONS],
    account_text: [[u8; TEXT]; ACCOUNTS],
    dialog_text: [[u8; TEXT]; DIALOGS],
    buffer_states: [BufferState; BUFFERS],
    buffers: [[u8; MESSAGE]; BUFFERS],
    draft: [u8; MESSAGE],
    reply: [u8; MESSAGE],
}

/// Cells of the hash index for each transaction: two keys at most half of the cells.
pub(crate) const INDEX_CELLS: usize = 4;

/// Memory for a doorbell or desk phone: one account, two calls.
pub type SmallMemory = Memory<1, 2, 3, 8, 6, 512, 1500>;

impl<
    const ACCOUNTS: usize,
    const CALLS: usize,
    const DIALOGS: usize,
    const TRANSACTIONS: usize,
    const BUFFERS: usize,
    const TEXT: usize,
    const MESSAGE: usize,
> Memory<ACCOUNTS, CALLS, DIALOGS, TRANSACTIONS, BUFFERS, TEXT, MESSAGE>
{
    /// Idle memory; const, so that it can initialise a static.
    pub const fn new() -> Self {
        Self {
            accounts: [const { Entry::IDLE }; ACCOUNTS],
            calls: [const { Entry::IDLE }; CALLS],
            dialogs: [const { Entry::IDLE }; DIALOGS],
            transactions: [const { Entry::IDLE }; TRANSACTIONS],
            index: [[0; INDEX_CELLS]; TRANSACTIONS],
            account_text: [[0; TEXT]; ACCOUNTS],
            dialog_text: [[0; TEXT]; DIALOGS],
            buffer_states: [BufferState::IDLE; BUFFERS],
            buffers: [[0; MESSAGE]; BUFFERS],
            draft: [0; MESSAGE],
            reply: [0; MESSAGE],
        }
    }

    /// Lend the memory to an endpoint.
    pub fn storage(&mut self) -> Storage<'_> {
        Storage {
            accounts: Slots::Lent(&mut self.accounts),
            calls: Slots::Lent(&mut self.calls),
            dialogs: Slots::Lent(&mut self.dialogs),
            transactions: Slots::Lent(&mut self.transactions),
            index: Slots::Lent(self.index.as_flattened_mut()),
            account_text: Slots::Lent(self.account_text.as_flattened_mut()),
            dialog_text: Slots::Lent(self.dialog_text.as_flattened_mut()),
            buffer_states: Slots::Lent(&mut self.buffer_states),
            buffers: Room::Lent(self.buffers.as_flattened_mut()),
            draft: Slots::Lent(&mut self.draft),
            reply: Slots::Lent(&mut self.reply),
            text_bytes: TEXT,
            message_bytes: MESSAGE,
        }
    }
}

impl<
    const ACCOUNTS: usize,
    const CALLS: usize,
    const DIALOGS: usize,
    const TRANSACTIONS: usize,
    const BUFFERS: usize,
    const TEXT: usize,
    const MESSAGE: usize,
> Default for Memory<ACCOUNTS, CALLS, DIALOGS, TRANSACTIONS, BUFFERS, TEXT, MESSAGE>
{
    fn default() -> Self {
        Self::new()
    }
}

// What an account and a call cost where memory is small, beside the buffers for messages, audio and
// digits. The figures are what was reached, so they may only shrink.
#[cfg(target_pointer_width = "32")]
const _: () = {
    use crate::media::Session;
    assert!(size_of::<Entry<AccountSlot>>() + 512 <= 768, "an account, and that is the goal");
    let call = size_of::<Entry<CallSlot>>() + size_of::<Entry<DialogSlot>>() + 512;
    assert!(call + size_of::<Session>() - Session::BUFFER_BYTES <= 1860, "a call, goal 1536");
};

/// The memory of one endpoint, its sizes erased.
pub struct Storage<'a> {
    pub(crate) accounts: Slots<'a, Entry<AccountSlot>>,
    pub(crate) calls: Slots<'a, Entry<CallSlot>>,
    pub(crate) dialogs: Slots<'a, Entry<DialogSlot>>,
    pub(crate) transactions: Slots<'a, Entry<TransactionSlot>>,
    pub(crate) index: Slots<'a, u32>,
    pub(crate) account_text: Slots<'a, u8>,
    pub(crate) dialog_text: Slots<'a, u8>,
    pub(crate) buffer_states: Slots<'a, BufferState>,
    pub(crate) buffers: Room<'a>,
    pub(crate) draft: Slots<'a, u8>,
    pub(crate) reply: Slots<'a, u8>,
    pub(crate) text_bytes: usize,
    pub(crate) message_bytes: usize,
}

/// How much of everything an endpoint on the heap shall have.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Identities.
    pub accounts: usize,
    /// Calls at once, either way.
    pub calls: usize,
    /// Transactions at once; those that linger give way when all are in use.
    pub transactions: usize,
    /// Message buffers.
    pub buffers: usize,
    /// Bytes of text for an account or a dialog.
    pub text_bytes: usize,
    /// Longest message that is sent or kept, bytes.
    pub message_bytes: usize,
}

#[cfg(feature = "alloc")]
impl Limits {
    /// Limits for `calls` calls at once and one account, the rest in proportion.
    pub const fn calls(calls: usize) -> Self {
        Self {
            accounts: 1,
            calls,
            transactions: calls * 2 + 16,
            buffers: calls * 2 + 16,
            text_bytes: 2048,
            message_bytes: 4096,
        }
    }
}

#[cfg(feature = "alloc")]
impl Storage<'static> {
    /// Storage on the heap, all of it taken now but the bytes of messages: those that are kept are
    /// kept at their own length.
    pub fn heap(limits: Limits) -> Self {
        let dialogs = limits.calls + limits.calls / 4 + 1;
        Self {
            accounts: owned(limits.accounts),
            calls: owned(limits.calls),
            dialogs: owned(dialogs),
            transactions: owned(limits.transactions),
            index: owned(limits.transactions * INDEX_CELLS),
            account_text: owned(limits.accounts * limits.text_bytes),
            dialog_text: owned(dialogs * limits.text_bytes),
            buffer_states: owned(limits.buffers),
            buffers: Room::Heap((0..limits.buffers).map(|_| Box::default()).collect()),
            draft: owned(limits.message_bytes),
            reply: owned(limits.message_bytes),
            text_bytes: limits.text_bytes,
            message_bytes: limits.message_bytes,
        }
    }
}

#[cfg(feature = "alloc")]
fn owned<T: Default>(count: usize) -> Slots<'static, T> {
    let mut slots = Vec::new();
    slots.resize_with(count, T::default);
    Slots::Owned(slots.into_boxed_slice())
}

/// A slice that is lent, or owned where there is a heap.
pub(crate) enum Slots<'a, T> {
    Lent(&'a mut [T]),
    #[cfg(feature = "alloc")]
    Owned(Box<[T]>),
}

impl<T> Deref for Slots<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Lent(slots) => slots,
            #[cfg(feature = "alloc")]
            Self::Owned(slots) => slots,
        }
    }
}

impl<T> DerefMut for Slots<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::Lent(slots) => slots,
            #[cfg(feature = "alloc")]
            Self::Owned(slots) => slots,
        }
    }
}
