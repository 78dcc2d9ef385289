extension ReviewRecord: JSONRecord {
    package static let schema: StaticString = "payment.review/1"

    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("movement", movement.rawValue)
        writer.member("state", state.rawValue)
        writer.key("reasons")
        reasons.encode(into: &writer)
        writer.member("score", score)
        writer.member("by", by)
        writer.member("at", at.seconds)
        writer.member("note", note)
        writer.endObject()
    }

    /// - Throws: `RecordCodecError.field` naming the first field that is missing or wrong.
    package init(json: JSONValue) throws(RecordCodecError) {
        movement = MovementKey(try json.requiredString("movement"))
        state = try json.requiredWord("state")
        reasons = try [VerdictReason](json: json, key: "reasons")
        score = try json.optionalDouble("score")
        by = try json.requiredString("by")
        at = Instant(seconds: try json.requiredInt64("at"))
        note = try json.optionalString("note")
    }
}
