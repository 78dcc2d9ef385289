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

    /// - Throws: `RecordCodecError.field` naming the first field that is missing or wrong. So is an
    ///   empty movement, and a text with a NUL, which not every ledger could keep as it is.
    package init(json: JSONValue) throws(RecordCodecError) {
        movement = MovementKey(try Self.storable(json.requiredString("movement"), "movement"))
        guard !movement.rawValue.isEmpty else { throw .field("movement") }
        state = try json.requiredWord("state")
        reasons = try [VerdictReason](json: json, key: "reasons")
        score = try json.optionalDouble("score")
        by = try Self.storable(json.requiredString("by"), "by")
        at = Instant(seconds: try json.requiredInt64("at"))
        note = try json.optionalString("note").map { text throws(RecordCodecError) in
            try Self.storable(text, "note")
        }
    }

    private static func storable(
        _ text: String, _ key: String
    ) throws(RecordCodecError) -> String {
        guard !text.utf8.contains(0) else { throw .field(key) }
        return text
    }
}
