//! A PBFT replica as a state machine: input in, effects out.
