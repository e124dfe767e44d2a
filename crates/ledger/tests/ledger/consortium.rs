//! A made-up consortium of four replicas, and blocks of it on demand. Everything follows from small numbers.

use ledger::*;

/// The signing key that belongs to a number.
pub fn key(number: u8) -> SigningKey {
    SigningKey::from_seed([number; 32])
}

/// The pseudonym that belongs to a number.
pub fn ledger_id(number: u8) -> LedgerId {
    LedgerId([number; 16])
}

/// A replica whose key is `key(100 + number)`.
pub fn replica(number: u16) -> ReplicaDescription {
    ReplicaDescription {
        replica: ReplicaId(number),
        operator: ledger_id(200 + number as u8),
        public_key: replica_key(number).public_key(),
    }
}

/// The key of a replica.
pub fn replica_key(number: u16) -> SigningKey {
    key(100 + number as u8)
}

/// An epoch of these replicas.
pub fn epoch(number: u64, first_height: u64, replicas: &[u16]) -> EpochDescription {
    EpochDescription {
        epoch: Epoch(number),
        first_height: Height(first_height),
        replicas: replicas.iter().copied().map(replica).collect(),
    }
}

/// Four replicas, one member, one parameter.
pub fn genesis() -> GenesisFile {
    GenesisFile {
        name: "Example consortium".into(),
        time: Timestamp(1_700_000_000_000_000),
        epoch: epoch(0, 0, &[0, 1, 2, 3]),
        certificate_authority: DigestAlgorithm::Sha256.digest(b"root certificate"),
        members: vec![GenesisMember {
            ledger_id: ledger_id(1),
            public_key: key(1).public_key(),
            kind: "authority".into(),
            name: "Example authority".into(),
            allowed: vec![(ContractId(3), 2)],
        }],
        parameters: GenesisParameters([("price_minor".to_string(), -5)].into()),
    }
}

/// The `nonce`-th transaction of member 1.
pub fn transaction(chain: Digest, nonce: u64) -> SignedTransaction {
    let body = TransactionBody {
        chain,
        submitter: ledger_id(1),
        public_key: key(1).public_key(),
        nonce,
        valid_until: Timestamp(1_700_000_060_000_000 + nonce),
        contract: ContractId(2),
        command: vec![3, nonce as u8, 0xff],
    };
    SignedTransaction::sign(body, &key(1))
}

/// A leaf with one event and one write.
pub fn accepted(transaction: &SignedTransaction) -> OutcomeLeaf {
    OutcomeLeaf {
        transaction: transaction.id(),
        outcome: Outcome::Accepted,
        events: vec![RecordedEvent {
            contract: ContractId(2),
            bytes: vec![7, transaction.body.nonce as u8],
        }],
        writes: WriteSet(vec![(b"key".to_vec(), Some(b"value".to_vec()))]).digest(),
    }
}

/// A rejection with code 9 of contract 2.
pub fn rejected(transaction: &SignedTransaction) -> OutcomeLeaf {
    OutcomeLeaf {
        transaction: transaction.id(),
        outcome: Outcome::Rejected {
            contract: ContractId(2),
            code: 9,
        },
        events: vec![],
        writes: WriteSet::default().digest(),
    }
}

/// Leaf 0 with these ledger events.
pub fn system_leaf(events: &[LedgerEvent]) -> OutcomeLeaf {
    OutcomeLeaf {
        transaction: Digest::ZERO,
        outcome: Outcome::Accepted,
        events: events.iter().map(RecordedEvent::of_ledger).collect(),
        writes: WriteSet::default().digest(),
    }
}

/// Certifies a header by these replicas.
pub fn certify(header: &Header, signers: &[u16]) -> Certificate {
    let votes: Vec<BlockVote> = signers
        .iter()
        .map(|signer| {
            let hash = header.hash();
            let key = replica_key(*signer);
            BlockVote::sign(
                &header.chain,
                ReplicaId(*signer),
                header.epoch,
                0,
                header.height,
                hash,
                &key,
            )
        })
        .collect();
    Certificate::from_votes(header.epoch, 0, &votes)
}

/// Grows a chain from the genesis file.
pub struct Chain {
    /// The genesis file.
    pub genesis: GenesisFile,
    /// The blocks so far, genesis first.
    pub blocks: Vec<CertifiedBlock>,
    /// The links so far.
    pub links: Vec<EpochLink>,
}

impl Chain {
    /// A chain with its genesis block.
    pub fn new() -> Chain {
        Chain::of(genesis())
    }

    /// A chain with the genesis block of this genesis file.
    pub fn of(genesis: GenesisFile) -> Chain {
        let mut chain = Chain {
            blocks: vec![],
            links: vec![],
            genesis,
        };
        let first = LedgerEvent::EpochStarted(chain.genesis.epoch.clone());
        let mut block = chain.draft(Epoch(0), &[], &[first]);
        block.header.time = chain.genesis.time;
        chain.blocks.push(CertifiedBlock {
            block,
            certificate: Certificate::of_genesis(),
        });
        chain
    }

    /// The chain id.
    pub fn id(&self) -> Digest {
        self.genesis.chain_id()
    }

    /// The next block, not yet certified. Transactions with odd nonces are rejected.
    pub fn draft(&self, epoch: Epoch, nonces: &[u64], system: &[LedgerEvent]) -> Block {
        let transactions: Vec<_> = nonces
            .iter()
            .map(|nonce| transaction(self.id(), *nonce))
            .collect();
        let mut outcomes = vec![system_leaf(system)];
        outcomes.extend(transactions.iter().map(|transaction| {
            if transaction.body.nonce % 2 == 0 {
                accepted(transaction)
            } else {
                rejected(transaction)
            }
        }));
        let hashes: Vec<Digest> = self
            .blocks
            .iter()
            .map(|certified| certified.block.hash())
            .collect();
        let header = Header {
            chain: self.id(),
            height: Height(hashes.len() as u64),
            previous: hashes.last().copied().unwrap_or(Digest::ZERO),
            time: Timestamp(self.genesis.time.0 + hashes.len() as u64 * 1_000_000),
            epoch,
            transactions: transactions.len() as u32,
            transaction_root: block::transaction_root(&transactions),
            outcome_root: block::outcome_root(&outcomes),
            state_root: DigestAlgorithm::Sha256.digest(&hashes.len().to_le_bytes()),
            history_root: merkle::root(&hashes),
        };
        Block {
            header,
            transactions,
            outcomes,
        }
    }

    /// Appends a block of epoch 0 signed by replicas 0, 1, 2.
    pub fn push(&mut self, nonces: &[u64]) -> &CertifiedBlock {
        self.push_in(Epoch(0), &[0, 1, 2], nonces, &[])
    }

    /// Appends a block.
    pub fn push_in(
        &mut self,
        epoch: Epoch,
        signers: &[u16],
        nonces: &[u64],
        system: &[LedgerEvent],
    ) -> &CertifiedBlock {
        let block = self.draft(epoch, nonces, system);
        let certificate = certify(&block.header, signers);
        self.blocks.push(CertifiedBlock { block, certificate });
        let last = self.blocks.last().expect("just pushed");
        self.links.extend(BlockProofs::new(last).epoch_link());
        last
    }

    /// The receipt of a transaction of the newest block.
    pub fn receipt(&self, index: u32) -> Receipt {
        let last = self.blocks.last().expect("the genesis block at least");
        BlockProofs::new(last)
            .receipt(index, &self.links)
            .expect("such a transaction")
    }
}
