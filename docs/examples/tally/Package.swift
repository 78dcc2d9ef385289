// swift-tools-version: 6.2
import PackageDescription

/// A program of its own that uses the log as a library, as yours would: by the path of a clone. Only
/// `AppendLog` and its checksum are built for it.
let package = Package(
    name: "tally",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "tillbox", path: "../../..")],
    targets: [
        .executableTarget(
            name: "tally", dependencies: [.product(name: "AppendLog", package: "tillbox")])
    ]
)
