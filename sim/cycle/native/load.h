// When words of LOAD arrive and are written, beat by beat.

#ifndef SHIFTLOOM_CYCLE_LOAD_H
#define SHIFTLOOM_CYCLE_LOAD_H

#include "activation_buffer.h"
#include "transfer.h"

namespace shiftloom {

class Load {
  public:
    Load(const Config& config, ActivationBuffer& buffer, std::function<void(Time)> completed)
        : bursts(config), config_(config), buffer_(buffer), completed_(std::move(completed)),
          words_per_beat_(std::max<int64_t>(1, config.bus_bytes / config.word_bytes)),
          beats_per_word_(std::max<int64_t>(1, config.word_bytes / config.bus_bytes)) {}

    // From which cycle on the next job is accepted.
    Time free() const {
        const Time room = areas_.queue.room();
        return room == NEVER ? NEVER : std::max(room, bursts.free);
    }

    void start(Time time, const Transfer& job) {
        bursts.accept(job, time);
        skip();
        areas_.accept(job, time);
        if (!held_) follow();
    }

    // Let the burst that is offered go in a cycle; bursts of nothing go by themselves.
    void take(Time time) {
        bursts.take(time);
        skip();
    }

    // Whether the present job's words may have to wait.
    bool waits() const { return job_.buffer == BUFFER_ACTIVATION; }

    // Take beats of one burst, one each cycle from `first` on, if none has to wait.
    bool take_all(Time first, int64_t beats) {
        if (words_per_beat_ > 1 || std::max(word_time_, place_) > first) return false;
        const int64_t parts = part_ + beats;
        const int64_t words = parts / beats_per_word_, part = parts % beats_per_word_;
        const Time last = first + beats - 1 - part + (beats_per_word_ > 1);
        if (waits() && words) {
            Taken& taken = buffer_.writes.upto(last);
            for (Time time = first; time <= last; ++time) {
                if (taken[time]) return false;
            }
        }
        part_ = part;
        if (words) {
            word_time_ = last;
            advance(words, last);
        }
        return true;
    }

    // Take a beat that is offered from a cycle on; return in which it is taken, or NEVER if that
    // is after `upto`, the last cycle of which the vector unit's writes are known.
    Time take_beat(Time time, Time upto) {
        if (beats_per_word_ > 1) return gather(time, upto);
        while (true) {
            const Time offered = std::max({time, word_time_ + 1, place_});
            time = find(offered, upto);
            if (time > upto && waits()) return NEVER;
            stalled_ += time - offered;
            word_time_ = time;
            ++part_;
            const bool ends = part_ == words_per_beat_ || word_ + 1 == job_.words;
            if (ends) part_ = 0;
            advance(1, time);
            if (ends) return time;
        }
    }

    // Write a word that is complete, if that is known to happen up to a cycle; return whether no
    // such word is left.
    bool settle(Time upto) {
        if (owed < 0) return true;
        const Time written = find(owed, upto);
        if (written > upto && waits()) {
            owed = written;
            return false;
        }
        stalled_ += written - since_;
        word_time_ = written, owed = -1;
        advance(1, written);
        return true;
    }

    Bursts bursts;
    Time owed = -1;
    std::vector<Time> stalls;

  private:
    void skip() {
        while (!bursts.beats && bursts.time < NEVER) bursts.take(bursts.time);
    }

    // Take a part of a word; the word before must have been written.
    Time gather(Time time, Time upto) {
        if (!settle(upto)) return NEVER;
        time = std::max(time, word_time_);
        if (++part_ == beats_per_word_) {
            part_ = 0, owed = time + REGISTER;
            since_ = std::max(owed, place_);
            settle(upto);
        }
        return time;
    }

    // The first cycle in which the present word's bank is not taken.
    Time find(Time time, Time upto) {
        time = std::max(time, place_);
        if (!waits()) return time;
        const uint8_t bank = config_.load_banks ? 1 << ((addr_ + word_) & (config_.banks - 1)) : ~0;
        Taken& taken = buffer_.writes.upto(upto + 1);
        while (time <= upto && taken[time] & bank) ++time;
        return time;
    }

    // Go on by words of one run, the last of which is written in a cycle.
    void advance(int64_t words, Time time) {
        word_ += words;
        if (word_ < job_.words) return;
        word_ = 0, ++run_, addr_ += job_.pitch;
        if (run_ == job_.runs) {
            areas_.end(time);
            complete(time);
            follow();
        }
    }

    // Go on with the next job; those that move nothing complete at once.
    void follow() {
        held_ = false;
        while (areas_.follow(job_, place_)) {
            if (job_.beats) {
                held_ = true, word_ = run_ = 0, addr_ = job_.addr;
                return;
            }
            areas_.end(place_);
            complete(place_);
        }
    }

    void complete(Time time) {
        stalls.push_back(stalled_);
        stalled_ = 0;
        completed_(time);
    }

    const Config& config_;
    ActivationBuffer& buffer_;
    std::function<void(Time)> completed_;
    Areas areas_{config_, LOAD_JOBS_AHEAD};
    const int64_t words_per_beat_, beats_per_word_;
    Transfer job_;
    bool held_ = false;
    int64_t word_ = 0, run_ = 0, addr_ = 0, part_ = 0;
    Time place_ = 0, word_time_ = -1, since_ = 0, stalled_ = 0;
};

}  // namespace shiftloom

#endif
