// When words of STORE are read; beats and answers are the write port's.

#ifndef SHIFTLOOM_CYCLE_STORE_H
#define SHIFTLOOM_CYCLE_STORE_H

#include "transfer.h"
#include "vector.h"
#include "write_port.h"

namespace shiftloom {

class Store {
  public:
    Store(const Config& config, Agenda& agenda, const Memory& memory, ActivationBuffer& buffer,
          Vector& vector, std::function<void(Time)> completed, std::function<void()> changed)
        : port(config, memory, std::move(completed)), config_(config), agenda_(agenda),
          buffer_(buffer), vector_(vector), changed_(std::move(changed)), bursts_(config) {
        alarm_.callback = [this](Time now) { look(now); };
    }

    // First cycle whose banks it may still ask for.
    Time position() const { return held_ ? time_ : NEVER; }

    // From which cycle on the next job is accepted.
    Time free() const {
        const Time room = areas_.queue.room();
        return room == NEVER ? NEVER : std::max(room, bursts_.free);
    }

    void start(Time time, const Transfer& job) {
        bursts_.accept(job, time);
        areas_.accept(job, time);
        if (!held_) follow();
        look(time);
    }

    WritePort port;
    std::vector<Time> stalls;

  private:
    // From the read of a word to its transfer to the bus, if nothing is in front of it; and how
    // far ahead reads of feeder and vector unit are known.
    static constexpr Time AHEAD = 1;

    struct Word {
        Time entered;
        bool ends;
    };

    // Go on as far as reads are known, and come again when more matters.
    void look(Time now) {
        const Time upto = now + AHEAD;
        vector_.advance(upto);
        bool more = true;
        while (more) {
            more = issue();
            more |= stream(upto);
            more |= read(upto);
            more |= send();
        }
        if (held_) agenda_.at(alarm_, std::max(now + 1, next_look()));
        changed_();
    }

    // A cycle up to which nothing else can follow from words that will be read.
    Time next_look() const {
        int64_t left = (job_.runs - run_) * job_.words - word_;
        if (bursts_.time < NEVER) left = std::min(left, port.least_words());
        return time_ + left - 1;
    }

    // Issue bursts; return whether any was.
    bool issue() {
        bool issued = false;
        while (bursts_.time < NEVER) {
            const Time room = port.room(!bursts_.beats);
            if (room == NEVER) break;
            const Time time = std::max(room, bursts_.time);
            port.issue(time, bursts_.beats, bursts_.last);
            bursts_.take(time);
            issued = true;
        }
        return issued;
    }

    // Read words up to a cycle, while there is room; return whether any was read.
    bool read(Time upto) {
        if (!held_ || unpopped_ == STORE_WORDS_AHEAD) return false;
        Taken& taken = buffer_.reads.upto(upto);
        bool any = false;
        while (held_ && unpopped_ < STORE_WORDS_AHEAD) {
            Time time = std::max(time_, pops_[unpopped_] + REGISTER);
            const uint8_t bank = 1 << ((addr_ + word_) & (config_.banks - 1));
            const Time wanted = time;
            while (time <= upto && taken[time] & bank) ++time;
            stalled_ += time - wanted;
            time_ = time;
            if (time > upto) break;
            take(time);
            any = true;
        }
        return any;
    }

    // Read and send many words, one each cycle, if nothing holds them up.
    bool stream(Time upto) {
        const Time first = std::max(time_, pops_.front() + REGISTER);
        const Time sent = first + config_.store_arrival + QUEUE_READ + REGISTER;
        if (!held_ || unpopped_ || pops_.back() >= sent) return false;
        int64_t count = std::min({job_.words - word_, upto + 1 - first, port.flow(sent)});
        if (count < STORE_WORDS_AHEAD) return false;
        count = untaken(first, count);
        if (count < STORE_WORDS_AHEAD) return false;
        port.take_beats(sent, count);
        for (int64_t k = 0; k < STORE_WORDS_AHEAD; ++k) {
            pops_[k] = sent + count - STORE_WORDS_AHEAD + k;
        }
        advance(first + count - 1, count);
        return true;
    }

    // How many words can be read, one each cycle, before a bank is taken.
    int64_t untaken(Time first, int64_t count) {
        Taken& taken = buffer_.reads.upto(first + count);
        for (int64_t k = 0; k < count; ++k) {
            const uint8_t bank = 1 << ((addr_ + word_ + k) & (config_.banks - 1));
            if (taken[first + k] & bank) return k;
        }
        return count;
    }

    // Read the present word in a cycle.
    void take(Time time) {
        words_.push_back({time + config_.store_arrival + QUEUE_READ, word_ + 1 == job_.words});
        ++unpopped_;
        advance(time, 1);
    }

    // Go on by words of one run, the last of which is read in a cycle.
    void advance(Time time, int64_t words) {
        word_ += words;
        time_ = time + PLACE;
        if (word_ < job_.words) return;
        word_ = 0, ++run_, addr_ += job_.pitch;
        if (run_ == job_.runs) {
            end(time);
            follow();
        }
    }

    // Note the cycle of a job's last read.
    void end(Time time) {
        areas_.end(time);
        stalls.push_back(stalled_);
        stalled_ = 0;
    }

    // Go on with the next job; one that moves nothing has one empty place.
    void follow() {
        held_ = false;
        while (areas_.follow(job_, time_)) {
            if (job_.beats) {
                held_ = true, word_ = run_ = 0, addr_ = job_.addr;
                return;
            }
            end(time_);
        }
    }

    // Turn words into beats; return whether any word left the queue.
    bool send() {
        bool any = false;
        while (!words_.empty() && port.has_burst()) {
            const Word word = words_.front();
            const Time offered = std::max(word.entered, pops_.back()) + REGISTER;
            pops_.push_back(port.take_word(offered, word.ends));
            pops_.pop_front();
            words_.pop_front();
            --unpopped_;
            any = true;
        }
        return any;
    }

    const Config& config_;
    Agenda& agenda_;
    ActivationBuffer& buffer_;
    Vector& vector_;
    std::function<void()> changed_;
    Agenda::Alarm alarm_;
    Bursts bursts_;
    Areas areas_{config_, STORE_JOBS_AHEAD};
    Transfer job_;
    bool held_ = false;
    int64_t word_ = 0, run_ = 0, addr_ = 0, unpopped_ = 0;
    Time time_ = 0, stalled_ = 0;
    std::deque<Word> words_;
    std::deque<Time> pops_ = std::deque<Time>(STORE_WORDS_AHEAD, -1);
};

}  // namespace shiftloom

#endif
