//! Several short texts packed into one block of bytes.

use crate::storage::Slots;

/// One block of text for each slot of a table.
pub(crate) struct Texts<'a> {
    bytes: Slots<'a, u8>,
    stride: usize,
}

impl<'a> Texts<'a> {
    pub(crate) fn new(bytes: Slots<'a, u8>, stride: usize) -> Self {
        Self { bytes, stride }
    }

    pub(crate) fn block(&self, index: u32) -> &[u8] {
        let start = index as usize * self.stride;
        self.bytes.get(start..start + self.stride).unwrap_or(&[])
    }

    /// Copy one block over another.
    pub(crate) fn copy_block(&mut self, from: u32, to: u32) {
        let start = from as usize * self.stride;
        let end = start + self.stride;
        let to = to as usize * self.stride;
        if end <= self.bytes.len() && to + self.stride <= self.bytes.len() {
            self.bytes.copy_within(start..end, to);
        }
    }

    pub(crate) fn block_mut(&mut self, index: u32) -> &mut [u8] {
        let start = index as usize * self.stride;
        self.bytes.get_mut(start..start + self.stride).unwrap_or(&mut [])
    }
}

/// The text did not fit into its block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooLong;

/// Where each of `N` texts ends in a block; they stand one behind the other in their order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packed<const N: usize> {
    ends: [u16; N],
}

impl<const N: usize> Default for Packed<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> Packed<N> {
    pub(crate) const EMPTY: Self = Self { ends: [0; N] };

    /// The texts, read from their block.
    pub(crate) fn lent<'b>(&'b self, block: &'b [u8]) -> Lent<'b> {
        Lent { ends: &self.ends, block }
    }

    /// Replace one text; those behind it move. On `TooLong` nothing has changed.
    pub(crate) fn set(
        &mut self,
        block: &mut [u8],
        field: usize,
        text: &[u8],
    ) -> Result<(), TooLong> {
        set(&mut self.ends, block, field, text)
    }
}

/// The texts of one slot, lent; all empty where there is no slot.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lent<'b> {
    ends: &'b [u16],
    block: &'b [u8],
}

impl<'b> Lent<'b> {
    #[cfg_attr(target_os = "none", inline(never))] // read in some fifty places
    pub(crate) fn get(&self, field: usize) -> &'b [u8] {
        let (start, end) = range(self.ends, field);
        self.block.get(start..end).unwrap_or(&[])
    }

    pub(crate) fn is_there(&self) -> bool {
        !self.ends.is_empty()
    }
}

#[cfg_attr(target_os = "none", inline(never))] // for texts of any number
fn set(ends: &mut [u16], block: &mut [u8], field: usize, text: &[u8]) -> Result<(), TooLong> {
    let (start, end) = range(ends, field);
    let total = ends.last().map_or(0, |end| usize::from(*end));
    let new_end = start + text.len();
    let new_total = total - (end - start) + text.len();
    if new_total > block.len() || new_total > usize::from(u16::MAX) {
        return Err(TooLong);
    }
    block.copy_within(end..total, new_end);
    if let Some(room) = block.get_mut(start..new_end) {
        room.copy_from_slice(text);
    }
    for position in ends.get_mut(field..).unwrap_or_default() {
        *position = (usize::from(*position) + text.len() - (end - start)) as u16;
    }
    Ok(())
}

fn range(ends: &[u16], field: usize) -> (usize, usize) {
    let at = |index: usize| ends.get(index).map_or(0, |end| usize::from(*end));
    (field.checked_sub(1).map_or(0, at), at(field))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::vec::Vec;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn texts_are_independent_of_each_other(
            steps in prop::collection::vec(
                (0..4usize, prop::collection::vec(any::<u8>(), 0..20)), 1..60,
            ),
        ) {
            let mut block = [0; 40];
            let mut texts = Packed::<4>::EMPTY;
            let mut model: [Vec<u8>; 4] = Default::default();
            for (field, text) in steps {
                let others: usize =
                    model.iter().enumerate().filter(|(i, _)| *i != field).map(|(_, t)| t.len()).sum();
                let fits = others + text.len() <= block.len();
                prop_assert_eq!(texts.set(&mut block, field, &text).is_ok(), fits);
                if fits {
                    model[field] = text;
                }
                for (field, text) in model.iter().enumerate() {
                    prop_assert_eq!(texts.lent(&block).get(field), &text[..]);
                }
            }
        }
    }

    #[test]
    fn a_block_that_does_not_exist_holds_nothing() {
        let mut bytes = [7; 20];
        let mut texts = Texts::new(Slots::Lent(&mut bytes), 10);
        assert_eq!(texts.block(1).len(), 10);
        assert_eq!(texts.block(2), b"");
        assert!(texts.block_mut(2).is_empty());
        texts.copy_block(0, 2);
        let mut packed = Packed::<2>::EMPTY;
        assert_eq!(packed.set(texts.block_mut(2), 0, b"x"), Err(TooLong));
    }

    #[test]
    fn a_text_can_be_replaced_and_the_others_stay() {
        let mut block = [0; 16];
        let mut texts = Packed::<3>::EMPTY;
        texts.set(&mut block, 0, b"call").unwrap();
        texts.set(&mut block, 2, b"route").unwrap();
        texts.set(&mut block, 1, b"tag").unwrap();
        assert_eq!(texts.lent(&block).get(0), b"call");
        assert_eq!(texts.lent(&block).get(1), b"tag");
        assert_eq!(texts.lent(&block).get(2), b"route");
        texts.set(&mut block, 0, b"").unwrap();
        assert_eq!(texts.lent(&block).get(1), b"tag");
        assert_eq!(texts.lent(&block).get(2), b"route");
        assert_eq!(texts.set(&mut block, 1, &[b'x'; 12]), Err(TooLong));
        assert_eq!(texts.lent(&block).get(1), b"tag");
        texts.set(&mut block, 1, &[b'x'; 11]).unwrap();
        assert_eq!(texts.lent(&block).get(2), b"route");
    }
}
