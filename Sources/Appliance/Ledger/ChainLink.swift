import Vocabulary

/// A transaction's link in the chain of hashes, computed again.
package struct ChainLink: Hashable, Sendable {
    /// The hash of the transaction before it, of zeros before the first; nil where that one is
    /// missing.
    package var previous: [UInt8]?
    /// As the ledger keeps it.
    package var stored: [UInt8]
    /// Of `previous` and what stands there now; nil where there is no previous one.
    package var computed: [UInt8]?

    package var isRight: Bool { computed == stored }
}

extension LedgerReading {
    /// Computes a transaction's hash from what the ledger has of it and of the one before it.
    package func link(of transaction: PostedTransaction) throws(LedgerError) -> ChainLink {
        let id = transaction.id.rawValue
        let earlier = TransactionID(id &- 1)
        let previous = id == 1 ? CanonicalBytes.genesis : try self.transaction(earlier)?.hash
        var bytes = CanonicalBytes()
        return ChainLink(
            previous: previous, stored: transaction.hash,
            computed: previous.map {
                bytes.hash(after: $0, id: transaction.id, transaction.posting)
            })
    }
}
