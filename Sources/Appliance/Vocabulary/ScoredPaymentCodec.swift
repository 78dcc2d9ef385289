extension ScoredPayment: JSONRecord {
    package static let schema: StaticString = "payment.scored/1"

    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        event.encodeMembers(into: &writer)
        writer.member("verdict", verdict.rawValue)
        writer.member("score", score)
        writer.key("reasons")
        reasons.encode(into: &writer)
        writer.member("model", model)
        writer.member("features_as_of", featuresAsOf?.seconds)
        writer.endObject()
    }

    /// - Throws: `RecordCodecError.field` naming the first field that is missing or wrong.
    package init(json: JSONValue) throws(RecordCodecError) {
        var fields = JSONFields(of: json)
        event = try PaymentEvent(&fields)
        verdict = try fields.take("verdict").word()
        score = try fields.take("score").optionalDouble()
        reasons = try [VerdictReason](fields.take("reasons"))
        model = try fields.take("model").optionalString()
        featuresAsOf = try fields.take("features_as_of").optionalInt64()
            .map(Instant.init(seconds:))
    }
}

/// `[{"rule":"features_missing"},{"feature":"tx_velocity_1m","value":14,"contribution":1.23}]`
extension [VerdictReason] {
    package func encode(into writer: inout JSONWriter) {
        writer.beginArray()
        for reason in self {
            writer.beginObject()
            switch reason {
            case .rule(let name):
                writer.member("rule", name)
            case .feature(let name, let value, let contribution):
                writer.member("feature", name)
                writer.member("value", value)
                writer.member("contribution", contribution)
            }
            writer.endObject()
        }
        writer.endArray()
    }

    package init(json: JSONValue, key: StaticString) throws(RecordCodecError) {
        try self.init(JSONField(key: key, value: json[key]))
    }

    init(_ field: JSONField) throws(RecordCodecError) {
        guard let elements = field.value?.array else { throw .field(field.key.description) }
        self = []
        for element in elements {
            if let name = try element.optionalString("rule") {
                append(.rule(name))
            } else {
                append(
                    .feature(
                        name: try element.requiredString("feature"),
                        value: try element.requiredDouble("value"),
                        contribution: try element.requiredDouble("contribution")))
            }
        }
    }
}
