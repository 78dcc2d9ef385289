import Foundation

/// An error in words for a person. What Foundation throws of a file describes itself for
/// programmers, with its domain and code; what is Tillbox's own has a sentence.
package enum ErrorWords {
    /// With the file that it is of, where it names one.
    package static func sentence(of error: any Error) -> String {
        guard let trouble = error as? CocoaError, let path = trouble.filePath ?? trouble.url?.path
        else { return reason(of: error) }
        return "\(path): \(reason(of: error))"
    }

    /// The system's own few words, without the file.
    package static func reason(of error: any Error) -> String {
        let below = (error as? CocoaError)?.underlying ?? error
        if let system = below as? POSIXError {
            return String(cString: strerror(system.code.rawValue))
        }
        guard error is CocoaError || type(of: error) is NSError.Type else { return "\(error)" }
        return error.localizedDescription
    }
}
