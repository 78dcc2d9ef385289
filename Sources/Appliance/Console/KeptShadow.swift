import Foundation
package import Vocabulary

/// What the data folder has of the last `tillbox model shadow`, read at each look: another process
/// writes it. A file that cannot be read costs its section of a page and nothing else.
package enum KeptShadow: Hashable, Sendable {
    /// None was ever made.
    case none
    case report(ShadowReport)
    /// Why there are no figures, in a sentence without its full stop.
    case unreadable(String)

    /// A report has a line for each pair of verdicts and currency: far below.
    private static let byteCountMax = 1 << 20

    /// - Parameter folder: the data folder.
    package init(in folder: String) {
        let path = "\(folder)/\(ShadowReport.fileName)"
        guard let found = try? FileManager.default.attributesOfItem(atPath: path) else {
            self = .none
            return
        }
        guard found[.type] as? FileAttributeType == .typeRegular,
            let size = found[.size] as? NSNumber, size.intValue <= Self.byteCountMax,
            let data = FileManager.default.contents(atPath: path)
        else {
            self = .unreadable("\(ShadowReport.fileName) cannot be read")
            return
        }
        self.init(Array(data))
    }

    init(_ bytes: [UInt8]) {
        let document = JSONDocument(bytesMax: max(bytes.count, 1))
        self = withExtendedLifetime(document) {
            guard let root = try? document.parse(bytes), let format = root["format"]?.int64 else {
                return .unreadable("\(ShadowReport.fileName) is damaged")
            }
            guard format == ShadowReport.format else {
                return .unreadable(
                    "\(ShadowReport.fileName) has format \(format), of another release; this one "
                        + "reads format \(ShadowReport.format)")
            }
            do throws(RecordCodecError) {
                return .report(try ShadowReport(json: root))
            } catch {
                return .unreadable("\(ShadowReport.fileName) is damaged: \(error.sentence)")
            }
        }
    }
}
