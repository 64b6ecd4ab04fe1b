"""TensorFlow's SavedModel: graphs of operations. Those that touch files, sockets or Python run outside the graph.

Invariant: an operation that is on neither list needs a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from freehold.registry.gate.naming import quoted, unsafe
from freehold.registry.gate.protobufs import BYTES, VARINT, fields, inner, shaped, text
from freehold.registry.gate.types import Format, Reason, Source, Walk

_MODEL = {1: VARINT, 2: BYTES}
_CODE = frozenset(
    {"EagerPyFunc", "LoadLibrary", "PyFunc", "PyFuncStateless", "RemoteCall", "XlaHostCompute", "CustomOp"}
)
_FILES = frozenset(
    """AudioMicrofrontend DebugIdentity DebugIdentityV2 DebugIdentityV3 DumpModel FixedLengthRecordDataset
    FixedLengthRecordReader FixedLengthRecordReaderV2 ImmutableConst InitializeTableFromTextFile
    InitializeTableFromTextFileV2 LMDBDataset LMDBReader MatchingFiles MatchingFilesDataset ReadFile SaveDataset
    SaveDatasetV2 SnapshotDataset SnapshotDatasetV2 SqlDataset TFRecordDataset TFRecordReader TFRecordReaderV2
    TextLineDataset TextLineReader TextLineReaderV2 WholeFileReader WholeFileReaderV2 WriteAudioSummary WriteFile
    CSVDataset CacheDataset CacheDatasetV2 ReaderRead ReaderReadV2 CreateSummaryFileWriter CreateSummaryDbWriter
    WriteGraphSummary WriteSummary ImportEvent""".split()  # noqa: SIM905
)
_SAVER = frozenset({"MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename", "RestoreSlice", "Restore", "Save"})
"""In every SavedModel: asked by whoever saves it again, with a path of theirs."""
_COMPUTES = re.compile(
    r"(?:Abs|Acos|Acosh|Add|AddN|AddV2|All|Any|ArgMax|ArgMin|AsString|Asin|Asinh|Assert|Assign\w*|Atan|Atan2|Atanh"
    r"|AvgPool\w*|Batch\w+|BiasAdd\w*|Bincount|Bitcast|Bitwise\w+|BroadcastArgs|BroadcastTo|Bucketize|Case|Cast|Ceil"
    r"|CheckNumerics\w*|Cholesky\w*|ClipByValue|Complex\w*|Concat|ConcatV2|Conj|Const|ControlTrigger|Conv\w+|Cos|Cosh"
    r"|CropAndResize\w*|Cross|CumulativeLogsumexp|Cumprod|Cumsum|DecodeBase64|DecodeRaw|DecodeJpeg|DecodePng|DecodeImage"
    r"|DenseToDenseSetOperation|DepthToSpace|Depthwise\w+|Dequantize\w*|DestroyResourceOp|Diag\w*|Digamma|Div|DivNoNan"
    r"|DynamicPartition|DynamicStitch|EditDistance|Einsum|Elu|Empty|EmptyTensorList|EncodeBase64|EnsureShape|Enter|Equal"
    r"|Erf|Erfc|Erfinv|Exit|Exp|ExpandDims|Expm1|ExtractImagePatches|FFT\w*|Fill|Floor|FloorDiv|FloorMod|FusedBatchNorm\w*"
    r"|FakeQuant\w+|Gather|GatherNd|GatherV2|Greater|GreaterEqual|HashTable\w*|Identity|IdentityN|If|IFFT\w*|Imag|InTopK\w*"
    r"|InitializeTable|InitializeTableV2|InvertPermutation|IsFinite|IsInf|IsNan|IsVariableInitialized|L2Loss|LRN|LeakyRelu"
    r"|LeftShift|Less|LessEqual|Lgamma|LinSpace|ListDiff|Log|Log1p|LogSoftmax|LogicalAnd|LogicalNot|LogicalOr"
    r"|LookupTable\w+|LoopCond|LowerBound|MatMul|Matrix\w+|Max|MaxPool\w*|Maximum|Mean|Merge|Min|Minimum|Mirror\w+|Mod|Mul"
    r"|MulNoNan|Multinomial|MutableHashTable\w*|MutableDenseHashTable\w*|Neg|NextIteration|NoOp|NonMaxSuppression\w*|NotEqual"
    r"|NthElement|OneHot|OnesLike|Pack|Pad|PadV2|ParallelDynamicStitch|ParseExample\w*|ParseSequenceExample\w*"
    r"|ParseSingleExample|PartitionedCall|Placeholder|PlaceholderWithDefault|Pow|PreventGradient|Prod|Quantize\w*|Ragged\w+"
    r"|Random\w+|Range|Rank|ReadVariableOp|Real|RealDiv|Reciprocal|ReduceJoin|RegexFullMatch|RegexReplace|Relu|Relu6|Reshape"
    r"|Resize\w+|ResourceApply\w+|ResourceGather|ResourceScatter\w+|Reverse|ReverseSequence|ReverseV2|RFFT\w*|IRFFT\w*|RightShift"
    r"|Rint|Roll|Round|Rsqrt|ScalarSummary|Scatter\w+|Segment\w+|Select|SelectV2|Selu|Shape|ShapeN|Sigmoid|Sign|Sin|Sinh|Size"
    r"|Slice|Softmax\w*|Softplus|Softsign|SpaceTo\w+|Sparse\w+|Split|SplitV|Sqrt|Square|SquaredDifference|Squeeze|Stack\w*"
    r"|StatefulPartitionedCall|StatefulUniform\w*|Stateless\w+|StaticRegexFullMatch|StaticRegexReplace|StopGradient|StridedSlice"
    r"|String\w+|Sub|Sum|Svd|Switch|Tan|Tanh|TensorArray\w*|TensorList\w*|TensorScatter\w+|Tile|TopK|TopKV2|Transpose"
    r"|TridiagonalSolve|TruncateDiv|TruncateMod|TruncatedNormal|Unicode\w+|Unique\w*|Unpack|UnravelIndex|UnsortedSegment\w+"
    r"|UpperBound|VarHandleOp|VarIsInitializedOp|Variable|VariableShape|VariableV2|Where|While|Xdivy|Xlog1py|Xlogy|ZerosLike"
    r"|Zeta|_Arg|_Retval)\Z"
)


def known(source: Source) -> bool:
    """A schema's version, then graphs; a graph has nodes."""
    if bytes(source.data[:1]) != b"\x08" or not shaped(source.data, _MODEL, frozenset({1, 2})):
        return False
    return all(_has_graph(inner(value)) for number, _, value in fields(source.data) if number == 2)


def _has_graph(meta: memoryview) -> bool:
    kinds = dict.fromkeys(range(1, 8), BYTES)
    return shaped(meta, kinds, frozenset({2}))


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """Every operation of every graph and library function. Raises Malformed for messages that are none."""
    names: set[str] = set()
    functions: set[str] = set()
    for number, _, meta in fields(source.data):
        if number == 2:
            for key, kind, graph in fields(inner(meta)):
                if key == 2 and kind == BYTES:
                    _operations(inner(graph), names, functions)
                elif key == 6 and kind == BYTES:
                    yield from _asset(inner(graph), source.name)
    for one in sorted(names):
        shown = quoted(one, 60)
        if one in _CODE or one.startswith(("PyFunc", "EagerPy")):
            yield Reason("block", "savedmodel.code", source.name, f"the operation {shown} runs code outside the graph")
        elif one in _FILES:
            yield Reason("block", "savedmodel.file", source.name, f"the operation {shown} reads or writes files")
        elif one not in functions and one not in _SAVER and not _COMPUTES.match(one):
            yield Reason("review", "savedmodel.unknown", source.name, f"the operation {shown} is on no list")


def _asset(asset: memoryview, where: str) -> Iterator[Reason]:
    """A file beside the graph, which is read when it is loaded."""
    for number, kind, value in fields(asset):
        if number == 2 and kind == BYTES:
            for one in unsafe(text(value), where):
                yield Reason(one.verdict, "savedmodel.file", where, f"reads {quoted(text(value), 80)}: {one.said}")


def _operations(graph: memoryview, names: set[str], functions: set[str]) -> None:
    for number, kind, value in fields(graph):
        if number == 1 and kind == BYTES:
            names.update(_operation(inner(value)))
        elif number == 2 and kind == BYTES:
            for key, wire, function in fields(inner(value)):
                if key == 1 and wire == BYTES:
                    _function(inner(function), names, functions)


def _function(function: memoryview, names: set[str], functions: set[str]) -> None:
    for number, kind, value in fields(function):
        if kind != BYTES:
            continue
        if number == 1:
            functions.update(text(each) for key, _, each in fields(inner(value)) if key == 1)
        elif number == 3:
            names.update(_operation(inner(value)))


def _operation(node: memoryview) -> list[str]:
    """Its name: readers take the last of several, so every one counts."""
    return [text(value) for number, kind, value in fields(node) if number == 2 and kind == BYTES] or [""]


FORMAT = Format("saved_model", known, look)
