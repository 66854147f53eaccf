use core::mem::MaybeUninit;

use embassy_net::udp::PacketMetadata;
use sansip::storage::Memory;

use crate::state::{CallEntry, LineEntry, Shared};

/// All memory of one phone, for a static; it costs no flash, since all of it is zero.
///
/// Without parameters: one account, two calls, messages of 1500 bytes, as
/// [`SmallMemory`](sansip::storage::SmallMemory). The parameters are those of [`Memory`].
///
/// ```
/// use sansip_embassy::Resources;
/// use static_cell::ConstStaticCell;
///
/// static RESOURCES: ConstStaticCell<Resources<'static>> = ConstStaticCell::new(Resources::new());
/// # let _ = RESOURCES.take();
/// ```
#[repr(C)] // what `bind` writes field by field stands first: a short way from the start is less code
pub struct Resources<
    'd,
    const ACCOUNTS: usize = 1,
    const CALLS: usize = 2,
    const DIALOGS: usize = 3,
    const TRANSACTIONS: usize = 8,
    const BUFFERS: usize = 5,
    const TEXT: usize = 512,
    const MESSAGE: usize = 1500,
> {
    // Empty ones are not all zero, so these come to be at `bind`, for ever.
    pub(crate) shared: MaybeUninit<Shared<'d>>,
    pub(crate) sip_metas: MaybeUninit<[PacketMetadata; SIP_METAS]>,
    pub(crate) media_metas: [MaybeUninit<[PacketMetadata; MEDIA_METAS]>; CALLS],
    pub(crate) lines: [LineEntry; ACCOUNTS],
    pub(crate) media_buffers: [MediaBuffers; CALLS],
    pub(crate) sip_in: [u8; SIP_IN_BYTES],
    pub(crate) sip_out: [u8; MESSAGE],
    pub(crate) calls: [CallEntry<'d>; CALLS],
    pub(crate) memory: Memory<ACCOUNTS, CALLS, DIALOGS, TRANSACTIONS, BUFFERS, TEXT, MESSAGE>,
}

impl<
    const ACCOUNTS: usize,
    const CALLS: usize,
    const DIALOGS: usize,
    const TRANSACTIONS: usize,
    const BUFFERS: usize,
    const TEXT: usize,
    const MESSAGE: usize,
> Resources<'_, ACCOUNTS, CALLS, DIALOGS, TRANSACTIONS, BUFFERS, TEXT, MESSAGE>
{
    /// Idle memory; const, so that it can initialise a static.
    pub const fn new() -> Self {
        const { assert!(CALLS <= crate::sockets::CALLS_MAX, "at most eight calls") };
        Self {
            shared: MaybeUninit::uninit(),
            sip_metas: MaybeUninit::uninit(),
            media_metas: [const { MaybeUninit::uninit() }; CALLS],
            lines: [const { LineEntry::idle() }; ACCOUNTS],
            media_buffers: [const { MediaBuffers::new() }; CALLS],
            sip_in: [0; SIP_IN_BYTES],
            sip_out: [0; MESSAGE],
            calls: [const { CallEntry::idle() }; CALLS],
            memory: Memory::new(),
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
> Default for Resources<'_, ACCOUNTS, CALLS, DIALOGS, TRANSACTIONS, BUFFERS, TEXT, MESSAGE>
{
    fn default() -> Self {
        Self::new()
    }
}

/// Where the datagrams of one call's sockets wait.
pub(crate) struct MediaBuffers {
    pub(crate) rtp_in: [u8; RTP_IN_BYTES],
    pub(crate) rtp_out: [u8; RTP_OUT_BYTES],
    pub(crate) rtcp_in: [u8; RTCP_IN_BYTES],
    pub(crate) rtcp_out: [u8; RTCP_OUT_BYTES],
}

impl MediaBuffers {
    const fn new() -> Self {
        Self {
            rtp_in: [0; RTP_IN_BYTES],
            rtp_out: [0; RTP_OUT_BYTES],
            rtcp_in: [0; RTCP_IN_BYTES],
            rtcp_out: [0; RTCP_OUT_BYTES],
        }
    }
}

/// Two messages may arrive together: one of the greatest length that a datagram has on Ethernet
/// (1472), or two that are half as long again as most are.
const SIP_IN_BYTES: usize = 2048;
/// Four of them for what comes in (small answers do not fill the room), two for what goes out.
pub(crate) const SIP_METAS: usize = 6;
/// Places in the queues of one call's sockets: for RTP four in and two out, for RTCP one each.
pub(crate) const MEDIA_METAS: usize = 8;
/// Three packets of 20 ms, or one of 60 ms and a digit: the jitter buffer takes them as they come.
const RTP_IN_BYTES: usize = 540;
/// One packet of 20 ms: it leaves before the next is made.
const RTP_OUT_BYTES: usize = 180;
/// A peer's sender report with one block and a source description has about 100 bytes.
const RTCP_IN_BYTES: usize = 160;
/// Ours: a sender report with one block, 52, a name of 24 bytes, 36, and a BYE, 8.
const RTCP_OUT_BYTES: usize = 52 + 36 + 8;
