internal import Bridges
internal import CXGBoost
internal import Foundation
internal import Synchronization
package import Vocabulary

/// What scoring asks of a model, so that tests can put a simpler one in its place.
package protocol RiskModel: Sendable {
    /// The version that scored payments carry.
    var version: String { get }

    /// The probability of fraud of each vector, 0…1.
    func predict(_ vectors: [FeatureVector]) throws(ModelError) -> [Float]

    /// What each feature adds to the log-odds of each vector, by the feature's place; then the
    /// bias. A row sums to the log-odds of its prediction.
    func contributions(_ vectors: [FeatureVector]) throws(ModelError) -> [[Float]]
}

/// The one owner of a libxgboost booster.
///
/// Feature rows go into one buffer, which libxgboost reads in place; its address and the request's
/// JSON stay the same for the model's whole life, so a prediction allocates only its result.
package final class FraudModel: RiskModel, @unchecked Sendable {
    // `@unchecked Sendable`: a booster may be used by one thread at a time, and its results lie in
    // memory that the next call reuses. Both the handles and the buffer are touched only under
    // `lock`, and results are copied out before it is given up.
    private let lock = Mutex<Void>(())
    private let booster: BoosterHandle
    private let proxy: DMatrixHandle
    private let rows: UnsafeMutablePointer<Float>
    /// The array interface of the first `n` rows, by `n`; nil until it is needed.
    private var arrays: [[CChar]?]

    package let schema: ModelSchema
    package var version: String { schema.version }

    /// The most rows one C call takes. Longer batches are cut.
    static let rowsMax = 1_024

    /// In-place prediction of probabilities; a missing value cannot occur, but must be named.
    private static let predictRequest = Array(
        """
        {"type":0,"iteration_begin":0,"iteration_end":0,"strict_shape":false,"cache_id":0,\
        "missing":NaN}
        """.utf8CString)

    /// SHAP contributions (Lundberg, Erion, Lee 2018), exact for trees.
    private static let contributionsRequest = Array(
        """
        {"type":2,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":false}
        """.utf8CString)

    /// Loads a model and holds it against its schema and this code.
    ///
    /// - Parameters:
    ///   - model: a booster as XGBoost saves it (`.ubj`).
    ///   - schema: the `schema.json` beside it.
    /// - Throws: `damagedModel`, `damagedSchema`, `featuresDiffer`, `thresholdsOutOfOrder`.
    init(model: [UInt8], schema json: [UInt8]) throws(ModelError) {
        schema = try ModelSchema(json: json)
        let hash = String(hex: SHA256.digest(model[...]))
        guard hash == schema.modelHash else {
            throw .damagedModel(
                detail: "its SHA-256 is \(hash), but schema.json says \(schema.modelHash)")
        }
        booster = try Self.load(model)
        var proxy: DMatrixHandle?
        // SAFETY: the call writes one handle, which this object frees.
        guard XGProxyDMatrixCreate(&proxy) == 0, let proxy else {
            XGBoosterFree(booster)
            throw .damagedModel(detail: Self.lastError)
        }
        self.proxy = proxy
        // SAFETY: freed in `deinit` and nowhere else. It never moves, as the requests name it.
        rows = .allocate(capacity: Self.rowsMax * FeatureVector.count)
        rows.initialize(repeating: 0, count: Self.rowsMax * FeatureVector.count)
        arrays = Array(repeating: nil, count: Self.rowsMax + 1)
        try checkFeatures()
        _ = try predict([
            FeatureVector(
                values: Array(repeating: 0, count: FeatureVector.count),
                asOf: Instant(seconds: 0))
        ])
    }

    deinit {
        // SAFETY: nobody else holds the handles or the buffer.
        XGDMatrixFree(proxy)
        XGBoosterFree(booster)
        rows.deallocate()
    }

    // MARK: Predicting

    package func predict(_ vectors: [FeatureVector]) throws(ModelError) -> [Float] {
        var scores: [Float] = []
        scores.reserveCapacity(vectors.count)
        var start = 0
        while start < vectors.count {
            let end = min(start + Self.rowsMax, vectors.count)
            try lock.withLock { _ throws(ModelError) in
                try predictRows(vectors[start..<end], into: &scores)
            }
            start = end
        }
        return scores
    }

    private func predictRows(
        _ vectors: ArraySlice<FeatureVector>, into scores: inout [Float]
    ) throws(ModelError) {
        fillRows(vectors)
        var shape: UnsafePointer<bst_ulong>?
        var dimensions: bst_ulong = 0
        var result: UnsafePointer<Float>?
        // SAFETY: the buffer holds the rows that the array interface names, under the lock; the
        // result points into the booster's memory and is copied before the next call.
        let status = XGBoosterPredictFromDense(
            booster, array(rowCount: vectors.count), Self.predictRequest, proxy, &shape,
            &dimensions, &result)
        guard status == 0, let result, let shape, shape[0] == bst_ulong(vectors.count) else {
            throw .predictionFailed(detail: Self.lastError)
        }
        for row in 0..<vectors.count {
            let score = result[row]
            // NaN fails the comparison too.
            guard score >= 0, score <= 1 else {
                throw .predictionFailed(detail: "\(score) is not a probability")
            }
            scores.append(score)
        }
    }

    private func fillRows(_ vectors: ArraySlice<FeatureVector>) {
        var place = 0
        for vector in vectors {
            for feature in 0..<FeatureVector.count {
                rows[place] = vector[feature]
                place += 1
            }
        }
    }

    /// The buffer's first rows in NumPy's array interface, version 3.
    private func array(rowCount: Int) -> [CChar] {
        if let known = arrays[rowCount] { return known }
        let address = UInt(bitPattern: rows)
        let json =
            "{\"data\":[\(address),true],\"shape\":[\(rowCount),\(FeatureVector.count)],"
            + "\"typestr\":\"<f4\",\"version\":3}"
        let text = Array(json.utf8CString)
        arrays[rowCount] = text
        return text
    }

    /// Runs `body` with a function that does nothing but the C call on one row that already lies
    /// in the buffer, for a benchmark to compare `predict` with. It says whether the call went
    /// well.
    package func withBareCall<Result: Sendable>(
        on vector: FeatureVector, _ body: (() -> Bool) -> Result
    ) -> Result {
        lock.withLock { _ in
            fillRows([vector])
            let array = array(rowCount: 1)
            return array.withUnsafeBufferPointer { array in
                Self.predictRequest.withUnsafeBufferPointer { request in
                    body {
                        var shape: UnsafePointer<bst_ulong>?
                        var dimensions: bst_ulong = 0
                        var result: UnsafePointer<Float>?
                        // SAFETY: as in `predictRows`; the result is not read.
                        return XGBoosterPredictFromDense(
                            booster, array.baseAddress, request.baseAddress, proxy, &shape,
                            &dimensions, &result) == 0
                    }
                }
            }
        }
    }

    // MARK: Explaining

    package func contributions(_ vectors: [FeatureVector]) throws(ModelError) -> [[Float]] {
        var all: [[Float]] = []
        var start = 0
        while start < vectors.count {
            let end = min(start + Self.rowsMax, vectors.count)
            all += try lock.withLock { _ throws(ModelError) in
                try contributionRows(vectors[start..<end])
            }
            start = end
        }
        return all
    }

    private func contributionRows(
        _ vectors: ArraySlice<FeatureVector>
    ) throws(ModelError) -> [[Float]] {
        fillRows(vectors)
        var matrix: DMatrixHandle?
        // SAFETY: the matrix copies the rows; it is freed below.
        guard
            XGDMatrixCreateFromMat(
                rows, bst_ulong(vectors.count), bst_ulong(FeatureVector.count), .nan, &matrix) == 0,
            let matrix
        else { throw .predictionFailed(detail: Self.lastError) }
        defer { XGDMatrixFree(matrix) }
        var shape: UnsafePointer<bst_ulong>?
        var dimensions: bst_ulong = 0
        var result: UnsafePointer<Float>?
        let width = FeatureVector.count + 1
        // SAFETY: the result points into the matrix's or the booster's memory; it is copied here.
        let status = XGBoosterPredictFromDMatrix(
            booster, matrix, Self.contributionsRequest, &shape, &dimensions, &result)
        guard
            status == 0, let result, let shape, dimensions == 2,
            shape[0] == bst_ulong(vectors.count), shape[1] == bst_ulong(width)
        else { throw .predictionFailed(detail: Self.lastError) }
        return (0..<vectors.count).map { row in
            Array(UnsafeBufferPointer(start: result + row * width, count: width))
        }
    }

    // MARK: Loading

    private static func load(_ model: [UInt8]) throws(ModelError) -> BoosterHandle {
        var handle: BoosterHandle?
        guard XGBoosterCreate(nil, 0, &handle) == 0, let handle else {
            throw .damagedModel(detail: lastError)
        }
        // One thread: a payment's row is far too little work to share. Errors only: libxgboost
        // would otherwise write warnings of its own to standard error.
        guard
            XGBoosterSetParam(handle, "nthread", "1") == 0,
            XGBoosterSetParam(handle, "verbosity", "0") == 0,
            !model.isEmpty,
            // SAFETY: libxgboost reads the bytes during the call and keeps no pointer to them.
            model.withUnsafeBytes({
                XGBoosterLoadModelFromBuffer(handle, $0.baseAddress, bst_ulong($0.count))
            }) == 0
        else {
            let detail = model.isEmpty ? "it is empty" : lastError
            XGBoosterFree(handle)
            throw .damagedModel(detail: detail)
        }
        _ = XGBoosterSetParam(handle, "nthread", "1")
        return handle
    }

    /// The model file's own feature names must be the code's, in the code's order.
    private func checkFeatures() throws(ModelError) {
        var count: bst_ulong = 0
        var names: UnsafeMutablePointer<UnsafePointer<CChar>?>?
        // SAFETY: the names lie in the booster's memory and are copied before any other call.
        guard XGBoosterGetStrFeatureInfo(booster, "feature_name", &count, &names) == 0 else {
            throw .damagedModel(detail: Self.lastError)
        }
        let found = (0..<Int(count)).compactMap { place in
            names?[place].map { String(cString: $0) }
        }
        guard found == Feature.names else {
            throw .featuresDiffer(
                in: "the model file", expected: Feature.names, found: found)
        }
    }

    /// The first line of libxgboost's account of this thread's latest failure.
    private static var lastError: String {
        // SAFETY: a C string that stays until this thread's next call.
        guard let text = XGBGetLastError() else { return "no reason given" }
        let lines = String(cString: text).split(separator: "\n")
        return lines.first.map(String.init) ?? "no reason given"
    }
}
