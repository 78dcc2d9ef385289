import AsyncHTTPClient
import Foundation
import NIOCore
import NIOPosix

/// What went wrong with a connection, in the few words that fit into a sentence for a person.
package enum NetworkReason {
    package static func of(_ error: any Error) -> String {
        switch error {
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case let error as SocketAddressError.UnknownHost: "no address is known of \(error.host)"
        // The attempts of one connection, one for each of the host's addresses, fail alike.
        case let error as NIOConnectionError:
            (error.connectionErrors.first?.error ?? error.dnsAError ?? error.dnsAAAAError)
                .map(of) ?? "no address of \(error.host) could be reached"
        case let error as HTTPClientError: error.shortDescription.lowercased()
        default: "\(error)"
        }
    }
}
