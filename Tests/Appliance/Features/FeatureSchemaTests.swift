import Testing

@testable import Appliance

@Suite("The feature schema")
struct FeatureSchemaTests {
    @Test("has as many names as a vector has numbers")
    func count() {
        #expect(Feature.names.count == FeatureVector.count)
    }
}
