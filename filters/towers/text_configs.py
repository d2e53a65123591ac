"""Configurations of text towers that open_clip checkpoints name and do not bring: a kilobyte that would need a hub.

Facts of the published models, by the name that ``text_cfg.hf_model_name`` gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BERT: Mapping[str, Any] = {  # of base size, as 1810.04805 has it
    "model_type": "bert",
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}
_UNCASED, _CASED = {**_BERT, "vocab_size": 30522}, {**_BERT, "vocab_size": 28996}
_ROBERTA: Mapping[str, Any] = {
    **_BERT,
    "model_type": "roberta",
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "vocab_size": 50265,
}
_XLM: Mapping[str, Any] = {**_ROBERTA, "model_type": "xlm-roberta", "vocab_size": 250002}
_XLM_LARGE: Mapping[str, Any] = {
    **_XLM,
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}
TEXT_TOWERS: Mapping[str, Mapping[str, Any]] = {
    # BiomedCLIP's, under today's name and the one it had before
    "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract": _UNCASED,
    "microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract": _UNCASED,
    "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract-fulltext": _UNCASED,
    "microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract-fulltext": _UNCASED,
    "emilyalsentzer/Bio_ClinicalBERT": _CASED,
    "dmis-lab/biobert-base-cased-v1.1": _CASED,
    "bert-base-uncased": _UNCASED,
    "bert-base-cased": _CASED,
    "roberta-base": _ROBERTA,
    "xlm-roberta-base": _XLM,
    "xlm-roberta-large": _XLM_LARGE,
}
