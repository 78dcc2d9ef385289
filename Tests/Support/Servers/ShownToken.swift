import Foundation

extension String {
    /// As a token is shown: in base64 for names and addresses, without padding (RFC 4648, 5).
    public var base64URL: String {
        Data(utf8).base64EncodedString().replacing("=", with: "").replacing("+", with: "-")
            .replacing("/", with: "_")
    }
}
