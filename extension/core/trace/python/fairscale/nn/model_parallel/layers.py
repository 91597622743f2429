"""The parallel layers, which in one process are Linear and Embedding with xavier_normal weights."""

from torch.nn import Embedding, Linear, init


class ColumnParallelLinear(Linear):
    def __init__(self, in_features, out_features, bias=True, gather_output=True, init_method=init.xavier_normal_,
                 stride=1, keep_master_weight_for_test=False):  # fmt: skip
        self._init_method = init_method
        super().__init__(in_features, out_features, bias)

    def reset_parameters(self):
        self._init_method(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class RowParallelLinear(ColumnParallelLinear):
    def __init__(self, in_features, out_features, bias=True, input_is_parallel=False, init_method=init.xavier_normal_,
                 stride=1, keep_master_weight_for_test=False):  # fmt: skip
        super().__init__(in_features, out_features, bias, init_method=init_method)


class ParallelEmbedding(Embedding):
    def __init__(self, num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0,
                 scale_grad_by_freq=False, sparse=False, init_method=init.xavier_normal_,
                 keep_master_weight_for_test=False):  # fmt: skip
        self._init_method = init_method
        super().__init__(num_embeddings, embedding_dim, padding_idx)

    def reset_parameters(self):
        self._init_method(self.weight)


VocabParallelEmbedding = ParallelEmbedding
