package import AppendLog

/// A record where it lies.
package struct PlacedRecord: Sendable {
    package var place: SourcePlace
    package var record: Record

    package init(place: SourcePlace, record: Record) {
        self.place = place
        self.record = record
    }
}
