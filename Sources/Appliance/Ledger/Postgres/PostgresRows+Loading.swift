internal import Bridges
import Vocabulary

/// What a batch asks about is fetched at once, and answered from memory from then on.
extension PostgresRows {
    func load(_ movements: [MovementKey]) throws {
        let missing = movements.filter { batch.transactions[$0] == nil }
        guard !missing.isEmpty else { return }
        let found = try lookups.transactions(missing)
        for movement in missing { batch.transactions[movement] = .some(found[movement]) }
    }

    func loadDecisions(_ movements: [MovementKey]) throws {
        let missing = movements.filter { batch.decisions[$0] == nil }
        guard !missing.isEmpty else { return }
        let found = try lookups.waitingDecisions(missing)
        for movement in missing { batch.decisions[movement] = .some(found[movement]) }
    }

    func loadFindings(_ payments: some Collection<MovementKey>) throws {
        let missing = payments.filter { batch.findings[$0] == nil }
        guard !missing.isEmpty else { return }
        let found = try lookups.findings(of: Array(missing))
        for payment in missing { batch.findings[payment] = .some(found[payment]) }
    }

    func loadRefunds(_ charges: [String]) throws {
        let missing = charges.filter { batch.refunds[$0] == nil }
        guard !missing.isEmpty else { return }
        let found = try lookups.refunds(of: missing)
        for charge in missing { batch.refunds[charge] = [] }
        for (charge, movement) in found { batch.refunds[charge]?.append(movement) }
        try load(found.map(\.movement))
    }

    func loadNotes(keys: [String], charges: [String]) throws {
        let keys = keys.filter { batch.notes[MovementKey($0)] == nil }
        let charges = charges.filter { batch.notesOfCharge[$0] == nil }
        for charge in charges { batch.notesOfCharge[charge] = [] }
        var releases: [String: ChargeRelease] = [:]
        if batch.someNotes != false, !keys.isEmpty || !charges.isEmpty {
            for note in try lookups.notes(keys: keys, charges: charges) {
                if batch.notes[note.key] == nil { batch.notes[note.key] = note }
                if charges.contains(note.charge) {
                    batch.notesOfCharge[note.charge]?.insert(note.key)
                }
            }
            if !charges.isEmpty { releases = try lookups.releases(of: charges) }
        }
        for key in keys where batch.notes[MovementKey(key)] == nil {
            batch.notes[MovementKey(key)] = .some(nil)
        }
        for charge in charges where batch.releases[charge] == nil {
            batch.releases[charge] = .some(releases[charge])
        }
    }

    func loadAccounts(_ wanted: Set<PostgresBatch.AccountKey>) throws {
        let missing = wanted.filter { batch.accounts[$0] == nil }
        guard !missing.isEmpty else { return }
        let found = try lookups.accounts(Array(missing))
        for key in missing { batch.accounts[key] = .some(found[key]) }
        // Of one that is not there whoever asked remembers nothing.
        answered.formUnion(found.keys)
    }
}
