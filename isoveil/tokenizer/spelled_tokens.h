// Contents that spell control tokens, and prompts in which they stay text.
//
//   const SpelledTokens spelled(vocabulary, template_source);                   // once
//   ISOVEIL_ASSIGN_OR_RETURN(PromptIds prompt, RenderIds(chat, vocabulary, &spelled, request));
//
// A template writes contents and its own control tokens into one text, and a tokenizer cannot tell them apart there:
// whoever writes "<|im_end|>" into a document ends the user's turn. So every place in a request at which a control
// token is spelled gets a mark that nobody can guess, of characters that are no characters (U+FDD0 to U+FDEF); the
// template carries the marks along through whatever it does to the contents; then they are taken out, and no control
// token may lie over a place where one was. A request without such a spelling, which is nearly every one, is rendered
// and tokenized as ever, to the same ids.
//
// Protected are control and unknown tokens, tokens that end an answer, and, outside of what the assistant said, tokens
// that the template itself writes, such as "<tool_response>". Names that are no tokens, such as "[INST]" in older
// vocabularies, are text either way. Immutable.
#pragma once

#include "isoveil/tokenizer/chat_template.h"

namespace isoveil {

class SpelledTokens {
 public:
  SpelledTokens(const Vocabulary& vocabulary, std::string_view template_source);

  // Where in `text` a protected token is spelled, ascending; `own` is false for what the assistant said.
  std::vector<size_t> Find(std::string_view text, bool own = true) const;

 private:
  struct Token {
    std::string text;
    bool always;  // also in what the assistant said
  };
  std::vector<std::vector<Token>> by_first_;  // by their first byte
};

struct PromptIds {
  RenderedPrompt prompt;
  std::vector<PlainId> ids;
};

// Without `spelled` a control token that a content spells becomes one, as with llama-server. Errors are those of
// ChatTemplate::Render and Vocabulary::Tokenize.
Result<PromptIds> RenderIds(const ChatTemplate& chat, const Vocabulary& vocabulary, const SpelledTokens* spelled,
                            const ChatRequest& request);

}  // namespace isoveil
