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
        if let code = (below as? POSIXError)?.code.rawValue ?? systemCode(of: error) {
            return String(cString: strerror(code))
        }
        guard error is CocoaError || type(of: error) is NSError.Type else { return "\(error)" }
        return error.localizedDescription
    }

    /// What an error means that keeps no error of the system's below it.
    private static func systemCode(of error: any Error) -> Int32? {
        switch (error as? CocoaError)?.code {
        case .fileNoSuchFile, .fileReadNoSuchFile: ENOENT
        case .fileReadNoPermission, .fileWriteNoPermission: EACCES
        case .fileWriteOutOfSpace: ENOSPC
        default: nil
        }
    }
}
