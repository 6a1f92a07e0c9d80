// The rule of each operation: which actions of its spaces it commutes with, and why.
//
// Notation: g_X is the action of space X; a weight W: X -> Y becomes g_Y W g_X^-1, so that
// (g_Y W g_X^-1)(g_X x) = g_Y (W x): a linear map is equivariant under any pair of actions and narrows
// nothing. A residual add is equivariant because both operands are written in the same space.
#include <utility>

#include "isoveil/graph/graph.h"

namespace isoveil {

// A token id i selects row E_i. Renaming ids by a permutation p and moving rows alike selects the same
// row: E'_p(i) = g E_i. No other map of ids to ids exists, so vocab is Perm; the row's space is free.
void Graph::Embedding(std::string weight, SpaceId vocab, SpaceId out) {
  Narrow(vocab, Group::Permutation());
  AddWeight(std::move(weight), {vocab, out});
}

// The engine counts positions itself and knows kinds of segments, so their axis stays; each row is a vector of the
// output space.
void Graph::PublicEmbedding(std::string weight, uint64_t n, SpaceId out) {
  const Axis numbers = Fixed(n);
  AddWeight(std::move(weight), {numbers, out});
}

// Numbers that enter as they are: every action passes them by.
void Graph::Constant(std::string weight, uint64_t dim) {
  const Axis numbers = Fixed(dim);
  AddWeight(std::move(weight), {numbers});
}

// y = W (x^ * gain + beta) + b, x^ the normalised input, is (W diag gain) x^ + (b + W beta): a folded gain
// scales the columns of W, a folded norm bias moves into b. Both happen before the actions.
void Graph::Linear(std::string weight, std::string bias, const Reader& in, const Axis& out) {
  AddWeight(weight, {out, in.axis.Dual()}).gain = in.gain;
  if (bias.empty()) return;
  Weight& b = AddWeight(std::move(bias), {out});
  if (!in.bias.empty()) {
    b.plus_matrix = std::move(weight);
    b.plus_vector = in.bias;
  }
}

// rms(Q x) = rms(x) for every orthogonal Q, so x -> x / rms(x) commutes with O. A gain that stays is a
// diagonal matrix between the norm and its readers; it commutes with a signed permutation S P when it is
// moved by P: (S P x) * (P gain) = S P (x * gain).
Reader Graph::RmsNorm(std::string gain, SpaceId x) {
  Weight& weight = AddWeight(gain, {Axis(x, View::kPermutation)});
  if (norms_ == Norms::kKept) {
    Narrow(x, Group::SignedPermutation());
    return {x};
  }
  Narrow(x, Group::Orthogonal());
  weight.constant = 1.0F;
  return {.axis = x, .gain = std::move(gain)};
}

// The mean is the inner product with the ones vector, and the variance a norm: both are kept by an
// orthogonal action that fixes the ones vector, and x - mean(x) ones commutes with it. A gain and bias that
// stay are elementwise and signs would change the mean: a permutation moves them along.
Reader Graph::LayerNorm(std::string gain, std::string bias, SpaceId x) {
  const bool kept = norms_ == Norms::kKept && !gain.empty();
  Narrow(x, kept ? Group::Permutation() : Group::OrthogonalFixingOnes());
  if (!gain.empty()) AddWeight(gain, {Axis(x, View::kPermutation)});
  if (!gain.empty() && !kept) weights_.back().constant = 1.0F;
  if (!bias.empty()) AddWeight(bias, {Axis(x, View::kPermutation)});
  if (!bias.empty() && !kept) weights_.back().constant = 0.0F;
  return kept ? Reader{x} : Reader{.axis = x, .gain = std::move(gain), .bias = std::move(bias)};
}

// A reader without bias cannot take W beta. Instead W (x^ * gain + beta) = (W diag gain)(x^ + beta / gain):
// the norm keeps beta / gain as its bias, a vector of the space. It needs a gain without zeros where
// beta is not zero; the job that divides checks that.
Reader Graph::LayerNormWithOwnBias(std::string gain, std::string bias, SpaceId x) {
  Reader reader = LayerNorm(gain, std::move(bias), x);
  if (norms_ == Norms::kKept) return reader;
  Weight& kept = weights_.back();
  kept.constant.reset();
  kept.axes = {x};
  kept.divisor = std::move(gain);
  reader.bias.clear();
  return reader;
}

// y = x^ * gain is added to what the next layer writes, so the gain cannot move into readers; see RmsNorm.
void Graph::KeptRmsNorm(std::string gain, SpaceId x) {
  AddWeight(std::move(gain), {Axis(x, View::kPermutation)});
  Narrow(x, Group::SignedPermutation());
}

// y = x^ * gain + bias is added to what the next layer writes, so gain and bias cannot move into readers: they are
// elementwise, and signs would change the mean. LN(P x; P gain, P bias) = P LN(x; gain, bias) for a permutation P.
void Graph::KeptLayerNorm(std::string gain, std::string bias, SpaceId x) {
  AddWeight(std::move(gain), {Axis(x, View::kPermutation)});
  if (!bias.empty()) AddWeight(std::move(bias), {Axis(x, View::kPermutation)});
  Narrow(x, Group::Permutation());
}

// Signs S keep rms and pass the gain by: rms(S x) = rms(x), S x * gain = S (x * gain). RoPE turns pairs, and commutes
// with a sign that both coordinates of a pair share. All heads have one gain, so nothing may move inside a head; heads
// change places, and with them the parts of a gain that covers all of them.
void Graph::NormHeads(std::string gain, const Axis& x, HeadNorm how) {
  for (const Segment& segment : x.segments) Narrow(segment.space, Group::Of(Move::kSign, Move::kPairSign));
  Axis axis = x;
  for (Segment& segment : axis.segments) segment.view = View::kPermutation;
  if (how == HeadNorm::kEachHead) {
    uint64_t head_dim = 0;
    for (const Segment& segment : x.segments) head_dim += spaces_[segment.space].dim;
    axis = Fixed(head_dim);
  }
  AddWeight(std::move(gain), {std::move(axis)});
}

// Scores are q.k per query head: (A q).(A^-T k) = q.k for every invertible A, one per key/value head because
// its keys meet all queries of the group. RoPE turns pair p of q and k by a position-dependent rotation;
// only maps that commute with every rotation of the pair may stand before it, and those are the complex
// scalars z; A = z on q and its inverse transpose 1/conj(z) on k keep the score.
// Values: softmax weights are scalars per head, so o = sum w_t (A v_t) = A o, undone by A^-1 in the output
// projection, again one A per key/value head. Heads are summed over, so they may change places
// as long as query, key, value and output move alike.
AttentionAxes Graph::Attention(const std::string& label, const AttentionShape& shape, std::optional<HeadSetId> given) {
  const HeadSetId heads = given ? *given : AddHeads(label + ".heads", shape);
  const SpaceId qk = AddSpace(label + ".qk", shape.head_dim);
  const SpaceId vo = AddSpace(label + ".vo", shape.head_dim);
  spaces_[qk].heads = heads;
  spaces_[vo].heads = heads;
  spaces_[qk].rotary_dim = shape.rotary_dim;
  return {.query = {qk, View::kDirect, Copies::kPerQueryHead},
          .key = {qk, View::kDual, Copies::kPerKvHead},
          .value = {vo, View::kDirect, Copies::kPerKvHead},
          .output = {.axis = {vo, View::kDirect, Copies::kPerQueryHead}}};
}

// A head's numbers move with it: the scores of head h are those of its queries and keys plus its own numbers.
void Graph::PerHead(std::string weight, uint64_t n, HeadSetId heads) {
  const SpaceId number = AddSpace(head_sets_[heads].label + ".number", 1);
  spaces_[number].heads = heads;
  Narrow(number, Group::Trivial());
  const Axis rows = Fixed(n);
  AddWeight(std::move(weight), {rows, Axis(number, View::kDirect, Copies::kPerQueryHead)});
}

// Numbers that belong to a head by its place hold it there; what happens inside heads stays free.
void Graph::FixHeads(const AttentionAxes& attention) {
  HeadSet& heads = head_sets_[*spaces_[attention.query.segments.front().space].heads];
  heads.groups_move = false;
  heads.queries_move = false;
}

// act(x)_i depends on x_i alone, alike for all i: permutations commute with it.
void Graph::Elementwise(SpaceId x) { Narrow(x, Group::Permutation()); }

// f(S P x) = S P f(x) for signs S, because f is odd in each coordinate.
void Graph::OddElementwise(SpaceId x) { Narrow(x, Group::SignedPermutation()); }

// f(D P x) = D P f(x) for positive scales D.
void Graph::PositiveElementwise(SpaceId x) { Narrow(x, Group::PositiveMonomial()); }

// act(P a) * (D P b) = D P (act(a) * b): both operands are permuted alike, and b may also be scaled by
// any nonzero diagonal, which the reader undoes.
Graph::GatedAxes Graph::GatedProduct(SpaceId x) {
  Narrow(x, Group::Monomial());
  return {.gate = {x, View::kPermutation}, .value = {x, View::kDirect}};
}

// The chosen ones are those of the largest scores, and what they give is summed with weights that depend on the scores
// alone: renaming experts renames scores and choice alike.
void Graph::Router(SpaceId x) { Narrow(x, Group::Permutation()); }

// Expert e gives f_e(x), the same f with weights of its own. Where the router's row of e went, its weights go, whatever
// else acts on them: all read and write the same spaces, and what is inside an expert goes with it.
void Graph::Members(SpaceId set, WeightId first) {
  const uint64_t stride = (weights_.size() - first) / spaces_[set].dim;
  for (WeightId id = first; id < weights_.size(); ++id) {
    weights_[id].member = SetMember{.set = set, .index = (id - first) / stride, .stride = stride};
  }
}

// Logits are named by token ids: softmax and sampling commute with permutations of them, the same one as
// the embedding's because sampled ids are fed back. With an orthogonal action the dual is the action
// itself, so a tied head stays tied unless a gain is folded into it.
void Graph::Head(const std::string& weight, std::string bias, const Reader& in, SpaceId vocab,
                 std::optional<std::string> tied_to) {
  Narrow(vocab, Group::Permutation());
  if (tied_to) {
    for (const Segment& segment : in.axis.segments) Narrow(segment.space, Group::Orthogonal());
  }
  if (tied_to && in.gain.empty() && in.bias.empty()) {
    if (!bias.empty()) AddWeight(std::move(bias), {vocab});
    return;
  }
  Linear(weight, bias, in, vocab);
  if (!tied_to) return;
  if (!weights_.back().plus_matrix.empty()) weights_.back().plus_matrix = *tied_to;
  weights_[by_role_.at(weight)].source = *std::move(tied_to);
}

}  // namespace isoveil
