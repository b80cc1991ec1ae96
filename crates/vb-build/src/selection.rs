//! What an action reads of the outputs that it names: the selected part of each, as a directory of its own.
//!
//! The digest of a selection is computed from the listing of the tree, without writing anything; only what is executed
//! needs the selected tree in the store.

use std::sync::{Arc, PoisonError};

use vb_graph::{Action, DirectoryDigest, Input, InputDigest, Node, Selection};
use vb_store::Listing;

use crate::{builder::Builder, error::ExecuteError};

impl Builder {
    /// Returns the digests that enter an action's key, from the outputs that its inputs name.
    pub(crate) fn selected_digests(
        &self,
        action: &Action,
        outputs: &[InputDigest],
    ) -> Result<Vec<InputDigest>, ExecuteError> {
        let digest = |(input, output): (&Input, &InputDigest)| match &input.selection {
            Some(selection) => self.selected_digest(input, selection, output),
            None => Ok(output.clone()),
        };
        action.inputs.iter().zip(outputs).map(digest).collect()
    }

    /// Computes the digest of a selected part, or remembers it: a tree that was selected of once need not be listed.
    fn selected_digest(
        &self,
        input: &Input,
        selection: &Selection,
        output: &InputDigest,
    ) -> Result<InputDigest, ExecuteError> {
        let InputDigest::Node(Node::Directory { digest: whole, .. }) = output else {
            unreachable!("lowering selects of directories alone")
        };
        let name = format!("selected {selection:?} of {whole}");
        if let Some(digest) = self.store.recall::<DirectoryDigest>(&name) {
            return Ok(InputDigest::Node(Node::directory(digest)));
        }
        let listing = self.select(input, output)?.expect("the input has a selection");
        let digest = listing.digest()?;
        // One that cannot be remembered is computed again.
        drop(self.store.remember(&name, &digest));
        Ok(InputDigest::Node(Node::directory(digest)))
    }

    /// Returns the same digests after every selected tree is in the store.
    pub(crate) fn put_selected(
        &self,
        action: &Action,
        outputs: &[InputDigest],
    ) -> Result<Vec<InputDigest>, ExecuteError> {
        let put = |(input, output)| match self.select(input, output)? {
            Some(listing) => {
                let digest = self.store.put_listing(listing.to_tree()?).map_err(ExecuteError::Store)?;
                Ok(InputDigest::Node(Node::directory(digest)))
            }
            None => Ok(output.clone()),
        };
        action.inputs.iter().zip(outputs).map(put).collect()
    }

    /// Returns what an input selects, `None` when it reads everything.
    fn select(&self, input: &Input, output: &InputDigest) -> Result<Option<Listing>, ExecuteError> {
        let Some(selection) = &input.selection else { return Ok(None) };
        let InputDigest::Node(Node::Directory { digest, .. }) = output else {
            unreachable!("lowering selects of directories alone")
        };
        Ok(Some(self.listing(digest)?.select(selection)?))
    }

    /// Lists a tree; one that was listed before by this process is not read again.
    pub(crate) fn listing(&self, digest: &DirectoryDigest) -> Result<Arc<Listing>, ExecuteError> {
        let known = self.listings.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned();
        if let Some(listing) = known {
            return Ok(listing);
        }
        let listing = Arc::new(self.store.list_tree(digest)?);
        self.listings.lock().unwrap_or_else(PoisonError::into_inner).insert(*digest, Arc::clone(&listing));
        Ok(listing)
    }
}
