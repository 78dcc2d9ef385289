import HTTPTypes
import Hummingbird
import NIOCore

/// Styles and scripts, each under a name that changes with its content, so that browsers may keep
/// it for good and never show an old one.
struct PageAssets: Sendable {
    struct File: Sendable {
        /// `console-1f0c….css`
        var name: String
        var type: String
        var bytes: [UInt8]
    }

    /// Where each stands, as templates name them.
    struct Paths: Sendable {
        var tokens, styles, pages, console, review, overview, icon, refresh, log, send: String
    }

    static let all: [File] = [
        file("tokens", "css", PackageResources.tokens_css),
        file("console", "css", PackageResources.console_css),
        file("pages", "css", PackageResources.pages_css),
        file("console", "js", PackageResources.console_js),
        file("review", "js", PackageResources.review_js),
        file("overview", "js", PackageResources.overview_js),
        file("icon", "svg", PackageResources.icon_svg),
        file("refresh", "js", PackageResources.refresh_js),
        file("log", "js", PackageResources.log_js),
        file("send", "js", PackageResources.send_js),
    ]

    static let paths = Paths(
        tokens: path(all[0]), styles: path(all[1]), pages: path(all[2]), console: path(all[3]),
        review: path(all[4]), overview: path(all[5]), icon: path(all[6]), refresh: path(all[7]),
        log: path(all[8]), send: path(all[9]))

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    /// - Returns: nil for a name that no page of this build names.
    static func response(_ name: String) -> Response? {
        byName[name].map { file in
            Response(
                status: .ok,
                headers: [
                    .contentType: file.type,
                    .cacheControl: "public, max-age=31536000, immutable",
                ], body: ResponseBody(byteBuffer: ByteBuffer(bytes: file.bytes)))
        }
    }

    private static func path(_ file: File) -> String { "/assets/\(file.name)" }

    private static func file(_ stem: String, _ ending: String, _ bytes: [UInt8]) -> File {
        let type =
            switch ending {
            case "css": "text/css; charset=utf-8"
            case "js": "text/javascript; charset=utf-8"
            default: "image/svg+xml"
            }
        let mark = String(digest(bytes), radix: 36)
        return File(name: "\(stem)-\(mark).\(ending)", type: type, bytes: bytes)
    }

    /// FNV-1a of 64 bits (draft-eastlake-fnv): it tells versions of our own files apart, and keeps
    /// nobody out.
    private static func digest(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
