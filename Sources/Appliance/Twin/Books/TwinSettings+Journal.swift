import Vocabulary

/// The settings that shape the books, as a twin's journal keeps them:
///
/// ```
/// {"options":{"payouts":"daily","settlement_days":2,…},"now":1767571200}
/// ```
///
/// The journal makes every call again under the options that held when it was made, so other
/// options begin where their line stands and never change what was before. Seed and keys are not
/// among them: another seed is refused, and keys open the same books.
extension TwinSettings {
    /// The same settings give the same text.
    func optionsLine(now: Int64) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("options")
        writeOptions(into: &writer)
        writer.member("now", now)
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    func hasOptions(of other: TwinSettings) -> Bool {
        optionsLine(now: 0) == other.optionsLine(now: 0)
    }

    private func writeOptions(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("payouts", payoutSchedule.rawValue)
        writer.member("settlement_days", settlementDays)
        writer.member("dispute_days", disputeDays)
        writer.member("event_days", eventDays)
        writer.member("event_count_max", Int64(eventCountMax))
        writer.object("fees") {
            $0.member("basis_points", fees.basisPoints)
            $0.member("fixed", fees.fixed)
            $0.member("dispute", fees.dispute)
            $0.member("returns_dispute_fee", fees.returnsDisputeFee)
            $0.amounts("fixed_by_currency", fees.fixedByCurrency)
            $0.amounts("dispute_by_currency", fees.disputeByCurrency)
        }
        writer.texts("accounts", connectedAccounts)
        writer.key("endpoints")
        writer.beginArray()
        for endpoint in endpoints {
            writer.beginObject()
            writer.member("url", endpoint.url)
            writer.texts("secrets", endpoint.secrets)
            writer.texts("events", endpoint.enabledEvents)
            writer.member("version", endpoint.apiVersion?.text)
            writer.member("hears", endpoint.hears.rawValue)
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
    }

    /// Takes over what an options line says; nil where it is none.
    init?(options root: JSONValue, otherwise settings: TwinSettings) {
        guard let options = root["options"],
            let schedule = options["payouts"]?.string.flatMap(PayoutSchedule.init(rawValue:)),
            let settlement = options["settlement_days"]?.int64,
            let dispute = options["dispute_days"]?.int64,
            let eventDays = options["event_days"]?.int64,
            let eventCount = options["event_count_max"]?.int64.flatMap(Int.init(exactly:)),
            let fees = options["fees"].flatMap(TwinFees.init(options:)),
            let endpoints = options["endpoints"]?.array?.map({ TwinEndpoint(options: $0) }),
            endpoints.allSatisfy({ $0 != nil })
        else { return nil }
        self = settings
        payoutSchedule = schedule
        settlementDays = settlement
        disputeDays = dispute
        self.eventDays = eventDays
        eventCountMax = eventCount
        self.fees = fees
        connectedAccounts = options["accounts"]?.texts ?? []
        self.endpoints = endpoints.compactMap { $0 }
    }
}

extension TwinEndpoint {
    fileprivate init?(options: JSONValue) {
        guard let url = options["url"]?.string, let secrets = options["secrets"]?.texts,
            let events = options["events"]?.texts,
            let hears = options["hears"]?.string.flatMap(Hearing.init(rawValue:))
        else { return nil }
        self.init(
            url: url, secrets: secrets, enabledEvents: events,
            apiVersion: options["version"]?.string.flatMap { StripeVersion($0) }, hears: hears)
    }
}

extension TwinFees {
    fileprivate init?(options: JSONValue) {
        guard let basisPoints = options["basis_points"]?.int64,
            let fixed = options["fixed"]?.int64, let dispute = options["dispute"]?.int64,
            let fixedByCurrency = options["fixed_by_currency"]?.amounts,
            let disputeByCurrency = options["dispute_by_currency"]?.amounts
        else { return nil }
        self.init(
            basisPoints: basisPoints, fixed: fixed, dispute: dispute,
            returnsDisputeFee: options["returns_dispute_fee"]?.bool ?? false,
            fixedByCurrency: fixedByCurrency, disputeByCurrency: disputeByCurrency)
    }
}

extension JSONWriter {
    /// By currency, in the order of the codes.
    fileprivate mutating func amounts(_ name: StaticString, _ amounts: [Currency: Int64]) {
        object(name) {
            for (currency, amount) in amounts.sorted(by: { $0.key.code < $1.key.code }) {
                $0.key(named: currency.code)
                $0.int(amount)
            }
        }
    }
}

extension JSONValue {
    fileprivate var texts: [String]? { array?.compactMap(\.string) }

    fileprivate var amounts: [Currency: Int64]? {
        guard let object else { return nil }
        var amounts: [Currency: Int64] = [:]
        for (code, value) in object {
            guard let currency = code.string.flatMap({ Currency($0) }), let amount = value.int64
            else { return nil }
            amounts[currency] = amount
        }
        return amounts
    }
}
