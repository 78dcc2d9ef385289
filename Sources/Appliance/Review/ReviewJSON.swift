package import Vocabulary

/// Reviews as the admin API and the command line write them; the keys are stable.
extension Review {
    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        encodeMembers(into: &writer)
        writer.endObject()
    }

    package func encodeMembers(into writer: inout JSONWriter) {
        writer.member("movement", movement.rawValue)
        writer.member("state", state.rawValue)
        writer.member("transaction", payment.rawValue)
        writer.member("merchant", merchant.rawValue)
        writer.member("currency", currency.code)
        writer.member("minor_units", amount.rawValue)
        writer.member("effective_at", effectiveAt.seconds)
        writer.member("event", eventID?.rawValue)
        writer.member("score", score)
        writer.key("reasons")
        reasons.encode(into: &writer)
        writer.member("by", decision?.by)
        writer.member("at", decision?.at.seconds)
        writer.member("note", decision?.note)
    }

    init(json: JSONValue) throws(RecordCodecError) {
        let at = try json.optionalInt64("at")
        self.init(
            payment: TransactionID(try json.requiredInt64("transaction")),
            movement: MovementKey(try json.requiredString("movement")),
            merchant: MerchantID(try json.requiredString("merchant")),
            currency: try json.requiredCurrency("currency"),
            amount: MinorUnits(try json.requiredInt64("minor_units")),
            state: try json.requiredWord("state"),
            effectiveAt: Instant(seconds: try json.requiredInt64("effective_at")),
            eventID: try json.optionalString("event").map { EventID($0) },
            score: try json.optionalDouble("score"),
            reasons: try [VerdictReason](json: json, key: "reasons"), decision: nil)
        if let at {
            decision = Decision(
                by: try json.optionalString("by") ?? "", at: Instant(seconds: at),
                note: try json.optionalString("note"))
        }
    }
}

extension [GivenRefund] {
    /// `"refundable_minor_units":…,"disputed_minor_units":…,"refunds":[{"id":…,"minor_units":…}]`,
    /// beside a review's.
    ///
    /// - Parameter disputed: nil where it is not known, and not told.
    package func encodeMembers(
        of review: Review, disputed: MinorUnits? = nil, into writer: inout JSONWriter
    ) {
        writer.member(
            "refundable_minor_units", left(of: review, disputed: disputed ?? .zero).rawValue)
        if let disputed { writer.member("disputed_minor_units", disputed.rawValue) }
        writer.key("refunds")
        writer.beginArray()
        for refund in self {
            writer.beginObject()
            writer.member("id", refund.id)
            writer.member("minor_units", refund.amount.rawValue)
            writer.endObject()
        }
        writer.endArray()
    }
}

extension ReviewAnswer {
    /// `{"booked":…,"review":{…}}`
    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("booked", isBooked)
        writer.key("review")
        review.encode(into: &writer)
        writer.endObject()
    }

    package init(json: JSONValue) throws(RecordCodecError) {
        guard let review = json["review"] else { throw .field("review") }
        self.init(review: try Review(json: review), isBooked: try json.requiredBool("booked"))
    }
}

extension ReviewRequest {
    /// `{"decision":"approve","by":…,"note":…}`
    ///
    /// - Parameter saysWho: whether `by` is there; only the data folder's token may say it.
    package func encoded(saysWho: Bool = true) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("decision", decision.rawValue)
        if saysWho { writer.member("by", by) }
        writer.member("note", note)
        writer.endObject()
        return writer.bytes
    }

    /// - Parameter name: says under whose name a body that says `by`, or does not, is taken; it
    ///   throws where the body may not say so. nil is for a body that must say it.
    /// - Throws: `ReviewRefusal.badRequest`, and what `name` throws.
    package static func decode(
        _ body: [UInt8], as name: (_ said: String?) throws -> String? = { $0 }
    ) throws -> ReviewRequest {
        let fields = try fields(of: body)
        guard let by = try name(fields.by) else {
            throw ReviewRefusal.badRequest("by is missing: it must say who decides")
        }
        return try ReviewRequest(fields.decision, by: by, note: fields.note)
    }

    private static func fields(
        of body: [UInt8]
    ) throws(ReviewRefusal) -> (decision: Decision, by: String?, note: String) {
        let document = JSONDocument()
        let fields: (Decision, String?, String)
        let stray: String?
        do throws(RecordCodecError) {
            let root = try document.request(body)
            let names = root.object?.map { $0.key.string ?? "" } ?? []
            stray = names.first { !["decision", "by", "note"].contains($0) }
            fields = (
                try root.requiredWord("decision"), try root.optionalString("by"),
                try root.requiredString("note")
            )
        } catch {
            throw .badRequest(
                "the body must be {\"decision\":\"approve\" or \"decline\",\"by\":…,\"note\":…}: "
                    + error.sentence)
        }
        if let stray {
            throw .badRequest(
                "\(ShownText.escaped(String(stray.prefix(64)))) is no member of a decision; it has "
                    + "decision, by and note")
        }
        return fields
    }
}
