# ruff: noqa: SIM905 - a list of words reads best as words
"""What a pickle may import, by exact module and name. Whatever is not here is blocked, however harmless it sounds.

`ALLOWED` are makers of plain values and tensors: called with any arguments `check` lets through, they run nothing of
the file's. `ESTIMATORS` are classes in pure Python whose state is numbers and texts. `REVIEWED` are classes in C whose
state is trusted by the code that uses it: a person decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_MADE = 1 << 24
"""Bytes or items that one call may ask for by a number: `bytearray(10**12)` is a bomb of nine bytes."""

_BUILTINS = frozenset(
    [
        "bool",
        "bytearray",
        "bytes",
        "complex",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "object",
        "range",
        "set",
        "slice",
        "str",
        "tuple",
        "Ellipsis",
        "NotImplemented",
    ]
)
_STORAGES = frozenset(
    f"{one}Storage"
    for one in [
        "BFloat16",
        "Bool",
        "Byte",
        "Char",
        "ComplexDouble",
        "ComplexFloat",
        "Double",
        "Float",
        "Half",
        "Int",
        "Long",
        "QInt32",
        "QInt8",
        "QUInt2x4",
        "QUInt4x2",
        "QUInt8",
        "Short",
        "Untyped",
    ]
)
_DTYPES = frozenset(
    [
        "bfloat16",
        "bool",
        "complex128",
        "complex32",
        "complex64",
        "float16",
        "float32",
        "float64",
        "float8_e4m3fn",
        "float8_e4m3fnuz",
        "float8_e5m2",
        "float8_e5m2fnuz",
        "int16",
        "int32",
        "int64",
        "int8",
        "qint32",
        "qint8",
        "quint8",
        "uint16",
        "uint32",
        "uint64",
        "uint8",
    ]
)
_NUMPY = frozenset(
    [
        "bool_",
        "complex128",
        "complex64",
        "dtype",
        "float16",
        "float32",
        "float64",
        "int16",
        "int32",
        "int64",
        "int8",
        "ndarray",
        "str_",
        "uint16",
        "uint32",
        "uint64",
        "uint8",
    ]
)
_UFUNCS = frozenset("""abs exp expm1 log log10 log1p log2 sqrt square""".split())
_MULTIARRAY = frozenset({"_reconstruct", "scalar"})

ALLOWED: Mapping[str, frozenset[str]] = {
    "_codecs": frozenset({"encode"}),
    "builtins": _BUILTINS,
    "collections": frozenset({"Counter", "OrderedDict", "defaultdict", "deque"}),
    "copyreg": frozenset({"_reconstructor"}),
    "datetime": frozenset({"date", "datetime", "time", "timedelta", "timezone"}),
    "decimal": frozenset({"Decimal"}),
    "fractions": frozenset({"Fraction"}),
    "joblib.numpy_pickle": frozenset({"NumpyArrayWrapper"}),
    "numpy": _NUMPY | _UFUNCS,
    "numpy._core.multiarray": _MULTIARRAY,
    "numpy._core.numeric": frozenset({"_frombuffer"}),
    "numpy.core.multiarray": _MULTIARRAY,
    "numpy.core.numeric": frozenset({"_frombuffer"}),
    "numpy.dtypes": frozenset(
        [
            "BoolDType",
            "BytesDType",
            "Complex128DType",
            "Complex64DType",
            "Float16DType",
            "Float32DType",
            "Float64DType",
            "Int16DType",
            "Int32DType",
            "Int64DType",
            "Int8DType",
            "ObjectDType",
            "StrDType",
            "UInt16DType",
            "UInt32DType",
            "UInt64DType",
            "UInt8DType",
            "VoidDType",
        ]
    ),
    "numpy.random._pickle": frozenset({"__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"}),
    "numpy.random._mt19937": frozenset({"MT19937"}),
    "numpy.random._pcg64": frozenset({"PCG64"}),
    "pathlib": frozenset({"PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath"}),
    "torch": _STORAGES | _DTYPES | {"Size", "Tensor", "device", "strided", "per_tensor_affine", "per_channel_affine"},
    "torch._tensor": frozenset({"_rebuild_from_type_v2"}),
    "torch._utils": frozenset(
        [
            "_rebuild_meta_tensor_no_storage",
            "_rebuild_parameter",
            "_rebuild_parameter_with_state",
            "_rebuild_qtensor",
            "_rebuild_sparse_tensor",
            "_rebuild_tensor",
            "_rebuild_tensor_v2",
            "_rebuild_tensor_v3",
        ]
    ),
    "torch.nn.parameter": frozenset({"Parameter"}),
    "torch.storage": frozenset({"TypedStorage", "UntypedStorage"}),
    "torch.serialization": frozenset({"_get_layout"}),
    "uuid": frozenset({"SafeUUID", "UUID"}),
}

ESTIMATORS: Mapping[str, frozenset[str]] = {
    "sklearn.cluster._kmeans": frozenset({"KMeans", "MiniBatchKMeans"}),
    "sklearn.compose._column_transformer": frozenset({"ColumnTransformer"}),
    "sklearn.decomposition._pca": frozenset({"PCA"}),
    "sklearn.decomposition._truncated_svd": frozenset({"TruncatedSVD"}),
    "sklearn.discriminant_analysis": frozenset({"LinearDiscriminantAnalysis"}),
    "sklearn.feature_extraction.text": frozenset({"CountVectorizer", "TfidfTransformer", "TfidfVectorizer"}),
    "sklearn.feature_selection._variance_threshold": frozenset({"VarianceThreshold"}),
    "sklearn.impute._base": frozenset({"SimpleImputer"}),
    "sklearn.linear_model._base": frozenset({"LinearRegression"}),
    "sklearn.linear_model._coordinate_descent": frozenset({"ElasticNet", "Lasso"}),
    "sklearn.linear_model._logistic": frozenset({"LogisticRegression"}),
    "sklearn.linear_model._ridge": frozenset({"Ridge", "RidgeClassifier"}),
    "sklearn.multiclass": frozenset({"OneVsRestClassifier"}),
    "sklearn.naive_bayes": frozenset({"BernoulliNB", "ComplementNB", "GaussianNB", "MultinomialNB"}),
    "sklearn.pipeline": frozenset({"FeatureUnion", "Pipeline"}),
    "sklearn.preprocessing._data": frozenset(
        [
            "MaxAbsScaler",
            "MinMaxScaler",
            "Normalizer",
            "PolynomialFeatures",
            "PowerTransformer",
            "QuantileTransformer",
            "RobustScaler",
            "StandardScaler",
        ]
    ),
    "sklearn.preprocessing._encoders": frozenset({"OneHotEncoder", "OrdinalEncoder"}),
    "sklearn.preprocessing._function_transformer": frozenset({"FunctionTransformer"}),
    "sklearn.preprocessing._label": frozenset({"LabelBinarizer", "LabelEncoder", "MultiLabelBinarizer"}),
    "scipy.sparse._csr": frozenset({"csr_array", "csr_matrix"}),
    "scipy.sparse.csr": frozenset({"csr_matrix"}),
}

REVIEWED: Mapping[str, frozenset[str]] = {
    "sklearn._loss.loss": frozenset(
        [
            "AbsoluteError",
            "ExponentialLoss",
            "HalfBinomialLoss",
            "HalfGammaLoss",
            "HalfMultinomialLoss",
            "HalfPoissonLoss",
            "HalfSquaredError",
            "HuberLoss",
            "PinballLoss",
        ]
    ),
    "sklearn._loss._loss": frozenset(
        [
            "CyAbsoluteError",
            "CyExponentialLoss",
            "CyHalfBinomialLoss",
            "CyHalfMultinomialLoss",
            "CyHalfSquaredError",
            "CyHuberLoss",
            "CyPinballLoss",
        ]
    ),
    "sklearn._loss.link": frozenset(
        """HalfLogitLink IdentityLink Interval LogLink LogitLink MultinomialLogit""".split()
    ),
    "sklearn.dummy": frozenset({"DummyClassifier", "DummyRegressor"}),
    "sklearn.ensemble._forest": frozenset(
        ["ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier", "RandomForestRegressor"]
    ),
    "sklearn.ensemble._gb": frozenset({"GradientBoostingClassifier", "GradientBoostingRegressor"}),
    "sklearn.ensemble._gb_losses": frozenset({"BinomialDeviance", "LeastSquaresError", "MultinomialDeviance"}),
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": frozenset(
        {"HistGradientBoostingClassifier", "HistGradientBoostingRegressor"}
    ),
    "sklearn.ensemble._iforest": frozenset({"IsolationForest"}),
    "sklearn.metrics._dist_metrics": frozenset(
        [
            "ChebyshevDistance64",
            "EuclideanDistance",
            "EuclideanDistance64",
            "ManhattanDistance64",
            "MinkowskiDistance64",
            "newObj",
        ]
    ),
    "sklearn.neighbors._ball_tree": frozenset({"BallTree", "BallTree64", "newObj"}),
    "sklearn.neighbors._classification": frozenset({"KNeighborsClassifier"}),
    "sklearn.neighbors._kd_tree": frozenset({"KDTree", "KDTree64", "newObj"}),
    "sklearn.neighbors._regression": frozenset({"KNeighborsRegressor"}),
    "sklearn.neural_network._multilayer_perceptron": frozenset({"MLPClassifier", "MLPRegressor"}),
    "sklearn.neural_network._stochastic_optimizers": frozenset({"AdamOptimizer", "SGDOptimizer"}),
    "sklearn.svm._classes": frozenset({"LinearSVC", "LinearSVR", "OneClassSVM", "SVC", "SVR"}),
    "sklearn.tree._classes": frozenset(
        ["DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"]
    ),
    "sklearn.tree._tree": frozenset({"Tree"}),
    "sklearn.linear_model._stochastic_gradient": frozenset({"SGDClassifier", "SGDRegressor"}),
    "transformers.training_args": frozenset({"TrainingArguments"}),
    "transformers.trainer_utils": frozenset({"HubStrategy", "IntervalStrategy", "SaveStrategy", "SchedulerType"}),
    "transformers.training_args_seq2seq": frozenset({"Seq2SeqTrainingArguments"}),
    "accelerate.state": frozenset({"PartialState"}),
    "accelerate.utils.dataclasses": frozenset({"DistributedType"}),
}


def listed(module: str, name: str) -> str:
    """`allow`, `review`, or `block` for an import."""
    if name in ALLOWED.get(module, ()) or name in ESTIMATORS.get(module, ()):
        return "allow"
    if name in REVIEWED.get(module, ()) or (module.startswith("sklearn.") and name.startswith("__pyx_unpickle_")):
        return "review"
    return "block"


_CODECS = frozenset({"latin-1", "latin1", "utf-8", "utf8", "ascii"})


def wrong(module: str, name: str, given: tuple[Any, ...]) -> str:
    """Why this call must not be made; empty where it may."""
    if module == "_codecs" and (len(given) > 1 and given[1] not in _CODECS):
        return f"_codecs.encode with the codec {given[1]!r:.40}"
    if module == "_codecs" and len(given) != 2:
        return "_codecs.encode without a codec"
    if module == "builtins" and name in ("bytearray", "bytes", "list", "range", "tuple") and _large(given):
        return f"builtins.{name} of {given[0]!r:.40}"
    if name in ("_reconstruct", "ndarray") and _large(_flat(given)):
        return f"{module}.{name} of more than {MOST_MADE} items"
    if name == "_rebuild_from_type_v2" and getattr(given[0] if given else None, "module", "") != "torch._utils":
        return "torch._tensor._rebuild_from_type_v2 of something that rebuilds no tensor"
    return ""


def _large(given: tuple[Any, ...]) -> bool:
    product = 1
    for one in given:
        if isinstance(one, int) and not isinstance(one, bool):
            product *= max(abs(one), 1)
    return product > MOST_MADE


def _flat(given: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(one for part in given for one in (part if isinstance(part, tuple | list) else (part,)))
