/// The value of a `payment.features` record: what the model is shown of one payment.
package struct FeaturesRecord: Hashable, Sendable {
    package var eventID: EventID
    package var objectID: String
    /// The version of the feature schema the numbers follow.
    package var schemaVersion: String
    /// Exactly `FeatureVector.count` finite numbers.
    package var vector: FeatureVector

    package init(eventID: EventID, objectID: String, schemaVersion: String, vector: FeatureVector) {
        self.eventID = eventID
        self.objectID = objectID
        self.schemaVersion = schemaVersion
        self.vector = vector
    }
}

extension FeaturesRecord: JSONRecord {
    package static let schema: StaticString = "payment.features/1"

    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("event_id", eventID.rawValue)
        writer.member("object_id", objectID)
        writer.member("as_of", vector.asOf.seconds)
        writer.member("schema", schemaVersion)
        writer.key("values")
        writer.beginArray()
        for place in 0..<FeatureVector.count { writer.float(vector[place]) }
        writer.endArray()
        writer.endObject()
    }

    /// - Throws: `RecordCodecError.field` naming the first field that is missing or wrong; so is
    ///   any other number of values, and one that no finite float is near to.
    package init(json: JSONValue) throws(RecordCodecError) {
        eventID = EventID(try json.requiredString("event_id"))
        objectID = try json.requiredString("object_id")
        schemaVersion = try json.requiredString("schema")
        guard let elements = json["values"]?.array else { throw .field("values") }
        var values: [Float] = []
        values.reserveCapacity(FeatureVector.count)
        for element in elements {
            guard let double = element.double, Float(double).isFinite else {
                throw .field("values")
            }
            values.append(Float(double))
        }
        guard values.count == FeatureVector.count else { throw .field("values") }
        vector = FeatureVector(
            values: values, asOf: Instant(seconds: try json.requiredInt64("as_of")))
    }
}
