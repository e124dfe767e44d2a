//! Runs contracts over state, block by block.
