// When beats go to memory, and when bursts are answered.

#ifndef SHIFTLOOM_CYCLE_WRITE_PORT_H
#define SHIFTLOOM_CYCLE_WRITE_PORT_H

#include <deque>

#include "basics.h"

namespace shiftloom {

class WritePort {
  public:
    WritePort(const Config& config, const Memory& memory, std::function<void(Time)> completed)
        : memory_(memory), completed_(std::move(completed)),
          words_per_beat_(std::max<int64_t>(1, config.bus_bytes / config.word_bytes)),
          beats_per_word_(std::max<int64_t>(1, config.word_bytes / config.bus_bytes)),
          written_(-memory.interval) {}

    // From which cycle on a burst can be issued.
    Time room(bool empty) const {
        const Time pending = pending_.room();
        if (empty || pending == NEVER) return pending;
        const Time lengths = lengths_.room();
        const int64_t before = static_cast<int64_t>(lengths_.writes.size()) - OUTSTANDING;
        if (lengths == NEVER || before >= static_cast<int64_t>(answers_.size())) return NEVER;
        return std::max({pending, lengths, before >= 0 ? answers_[before] + REGISTER : 0});
    }

    // Issue a burst in a cycle; one of no beats is for a job that moves nothing.
    void issue(Time time, int64_t size, bool last) {
        pending_.writes.push_back(time);
        held_.push_back({size, last});
        if (size) {
            lengths_.writes.push_back(time);
            sizes_.push_back(size);
            beats += size;
            if (!left_) begin();
        }
        settle(-1);
    }

    // Whether it is known when the next beat's burst was issued.
    bool has_burst() const { return left_ > 0; }

    // How many words at least the present burst still takes.
    int64_t least_words() const { return std::max<int64_t>(1, left_ / beats_per_word_); }

    // Take a word that is offered from a cycle on; return the cycle in which it is taken.
    Time take_word(Time offered, bool ends) {
        if (words_per_beat_ > 1) return gather(offered, ends);
        for (int64_t k = 0; k < beats_per_word_; ++k) send(offered);
        return sent_;
    }

    // How many words can be taken, one each cycle from one on, as one beat each.
    int64_t flow(Time first) const {
        const bool narrow = words_per_beat_ > 1 || beats_per_word_ > 1;
        if (narrow || !left_ || memory_.interval > 1) return 0;
        const Time offered = lengths_.offered(lengths_.pops.size());
        return std::max({sent_, written_before_, offered - 1}) < first ? left_ : 0;
    }

    // Take words, one each cycle from one on, as far as flow() allows.
    void take_beats(Time first, int64_t count) {
        left_ -= count - 1;
        sent_ = first + count - 2;
        written_before_ = sent_, written_ = sent_ + REGISTER;
        send(first + count - 1);
    }

    int64_t beats = 0;
    // Of each burst in which cycle memory takes the last beat, and its beats.
    std::vector<Time> bursts;

  private:
    struct Held {
        int64_t beats;
        bool last;
    };

    // Take a part of a beat; the last one sends it.
    Time gather(Time offered, bool ends) {
        gathered_ = std::max({offered, gathered_ + 1, sent_});
        ++part_;
        if (ends || part_ == words_per_beat_) {
            part_ = 0;
            send(gathered_ + REGISTER);
        }
        return gathered_;
    }

    void begin() {
        const size_t index = lengths_.pops.size();
        left_ = index < sizes_.size() ? sizes_[index] : 0;
    }

    // Send a beat; the last one of a burst has memory answer.
    void send(Time offered) {
        const size_t index = lengths_.pops.size();
        const Time room = std::max(sent_, written_before_) + 1;
        sent_ = std::max({offered, room, lengths_.offered(index)});
        const Time written = std::max(sent_ + REGISTER, written_ + memory_.interval);
        written_before_ = written_, written_ = written;
        if (--left_) return;
        const Time complete = std::max(lengths_.writes[index] + REGISTER, written);
        bursts.push_back(written), bursts.push_back(sizes_[index]);
        lengths_.pops.push_back(sent_);
        begin();
        settle(complete + memory_.latency);
    }

    // Note a burst's answer, if one is given, and complete what moves nothing.
    void settle(Time answer) {
        while (!held_.empty()) {
            const Held held = held_.front();
            Time time = pending_.offered(pending_.pops.size());
            if (held.beats) {
                if (answer < 0) return;
                const Time after = answers_.empty() ? 0 : answers_.back() + 1;
                time = std::max({time, answer, after});
                answers_.push_back(time);
                answer = -1;
            }
            held_.pop_front();
            pending_.pops.push_back(time);
            if (held.last) completed_(time);
        }
    }

    const Memory& memory_;
    std::function<void(Time)> completed_;
    const int64_t words_per_beat_, beats_per_word_;
    StreamQueue lengths_{OUTSTANDING}, pending_{STORE_PENDING};
    std::deque<Held> held_;
    std::vector<int64_t> sizes_;
    std::vector<Time> answers_;
    int64_t left_ = 0, part_ = 0;
    Time gathered_ = -1, sent_ = -1, written_, written_before_ = -1;
};

}  // namespace shiftloom

#endif
