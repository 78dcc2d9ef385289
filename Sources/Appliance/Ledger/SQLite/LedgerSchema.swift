/// The numbered SQL of `migrations/sqlite`, which is compiled into the binary so that it needs no
/// path.
package enum LedgerSchema {
    /// The version that this program writes and knows.
    package static let version = Int64(migrations.count)
    /// From here on it keeps captures, and what was told of refunds.
    static let captureVersion: Int64 = 3
    /// From here on the ledger keeps reviews, and positions are nothing else.
    static let reviewVersion: Int64 = 5
    /// From here on a position tells of the batch before it.
    static let checksumVersion: Int64 = 6
    /// From here on a better informed scoring renews what an open review says.
    static let renewalVersion: Int64 = 7
    /// From here on it keeps what payouts are made of.
    package static let payoutLinesVersion: Int64 = 9
    /// From here on it keeps what the bank says, and what it said before it corrected that.
    package static let bankVersion: Int64 = 10

    /// Each brings a database from its index to the next version.
    static let migrations: [String] = [
        PackageResources._001_ledger_sql, PackageResources._002_reconciliation_sql,
        PackageResources._003_waiting_sql, PackageResources._004_reconciliation_accounts_sql,
        PackageResources._005_reviews_sql, PackageResources._006_checksums_sql,
        PackageResources._007_renewed_reviews_sql, PackageResources._008_bank_sql,
        PackageResources._009_payout_lines_sql, PackageResources._010_bank_corrections_sql,
    ].map { String(decoding: $0, as: UTF8.self) }

    /// Those that make the tables of a statement, which need no table of the others.
    package static var statements: [String] { [migrations[1], migrations[3], migrations[8]] }
}
